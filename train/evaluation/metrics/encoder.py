"""The text encoder of semantic similarity: sentence-transformers' all-MiniLM-L6-v2, from a folder.

FOLDER/
  config.json          a BERT of 6 layers, 384 wide, with 12 heads
  model.safetensors
  tokenizer.json       lower-cases

A sentence's vector is the mean of its tokens' last states, divided by its norm; at most 256 tokens
count. Scores depend on the very weights, so that only these are accepted: files are compared by
their digest, and a settled few settings by their value.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertModel

from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import load

_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_MAX_TOKENS = 256
_TOGETHER = 64  # texts


class Encoder(Protocol):
    """The interface of text encoders."""

    @property
    def name(self) -> str:
        """The model's name: similarities of different models are not comparable."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of each text, of length 1: shape (N, D)."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The files and settings by which a model is recognised."""

    name: str
    digests: Mapping[str, str]  # SHA-256 in hexadecimal digits, by the file's name
    settings: Mapping[str, Any]  # of config.json


MINILM = Model(
    name="all-MiniLM-L6-v2",
    digests={
        _WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        _TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    settings={
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": 384,
        "intermediate_size": 1536,
        "layer_norm_eps": 1e-12,
        "num_attention_heads": 12,
        "num_hidden_layers": 6,
    },
)


class SentenceEncoder:
    """An encoder of sentences with a BERT, by the mean of the tokens' last states.

    A text gets the same vector whatever the other texts of a call are, but for rounding.
    """

    def __init__(self, folder: Path, model: Model = MINILM, device: str = "cpu") -> None:
        """Load a model from a folder.

        Args:
            folder: it holds `config.json`, `model.safetensors` and `tokenizer.json`.
            model: the model that the folder must hold.
            device: a torch device.

        Raises:
            InputFileError: a file is missing, or is not that of the model.
        """
        _check(folder, model)
        self.name = model.name
        self._device = torch.device(device)
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._model = BertModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, dtype=torch.float32
        )
        self._model.to(self._device).eval()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of each text, of length 1: shape (N, D)."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        for start in range(0, len(order), _TOGETHER):
            numbers = order[start : start + _TOGETHER]
            vectors[numbers] = self._encoded([texts[number] for number in numbers])
        return vectors

    @torch.inference_mode()
    def _encoded(self, texts: list[str]) -> NDArray[np.float32]:
        rows = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([row.ids for row in rows], device=self._device)
        mask = torch.tensor([row.attention_mask for row in rows], device=self._device)
        states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        means = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return vectors


def _check(folder: Path, model: Model) -> None:
    for name in (_CONFIG, *model.digests):
        if not (folder / name).is_file():
            raise UsageError(
                f"{folder / name}: no such file: expected the folder of {model.name} with "
                f"{_CONFIG}, {', '.join(model.digests)}"
            )
    for name, digest in model.digests.items():
        with (folder / name).open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != digest:
            raise InputFileError(
                f"{folder / name} is not that of {model.name}: its SHA-256 is {actual}, expected "
                f"{digest}. Similarities of another encoder are not comparable"
            )
    _check_settings(folder / _CONFIG, model)


def _check_settings(path: Path, model: Model) -> None:
    try:
        settings = load(path.read_bytes())
        actual = {name: settings.get(name) for name in model.settings}
    except (ValueError, AttributeError, OSError) as error:
        raise InputFileError(f"{path}: expected the settings of {model.name}: {error}") from None
    for name, value in model.settings.items():
        if actual[name] != value:
            raise InputFileError(
                f"{path}: {name} is {actual[name]!r}, expected {value!r} of {model.name}"
            )
