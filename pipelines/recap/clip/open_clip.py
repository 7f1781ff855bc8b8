"""The scorer of crops and captions with CLIP: a model of open_clip, or the small CLIP shipped here.

This module and `alpha` need the extra `clip`; no other one of the data pipelines imports torch.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.recap.clip.parts import parts
from pipelines.recap.clip.scorer import Score, Scorer
from pipelines.recap.clip.shared_scorer import SharedScorer
from pipelines.recap.small_clip import FOLDER
from pipelines.recap.small_clip.vocabulary import Vocabulary
from schemas import json_decoding
from schemas.clip_weights import FOLDER_PREFIX, QUICK_GELU, digest_of, weights_of
from schemas.errors import UsageError

try:
    import open_clip
    import torch
    from safetensors import SafetensorError

    from pipelines.recap.clip.alpha import add_alpha
except (ImportError, OSError, RuntimeError) as error:  # libraries that are missing or incompatible
    raise UsageError(
        f"scoring captions needs torch and open_clip: pip install 'regionforge[clip]' ({error})"
    ) from error

SMALL = "small"
CONFIG_NAME = "open_clip_config.json"
_BATCH = {"cpu": 16, "cuda": 64}  # rows in a batch, by device
_DECIMALS = 5  # decimals of a score; further ones depend on the machine

# Errors that the libraries raise on unknown names and on files of another kind.
_UNUSABLE = (
    AttributeError,
    EOFError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    StopIteration,
    TypeError,
    UnpicklingError,
    ValueError,
)

T = TypeVar("T")
Tokenizer = Callable[[list[str], int], Any]  # turns texts and a length into rows of token ids


class ClipScorer:
    """A scorer with a CLIP model: the score is the cosine of a crop's and a caption's embeddings.

    A pair gets the same score whatever the other pairs of a call are: batches have a fixed size.
    """

    def __init__(
        self, model: str = SMALL, weights: str = "", device: str = "", alpha: str = ""
    ) -> None:
        """Load a CLIP model and its tokenizer.

        Args:
            model: `small`; open_clip's name of a model; `hf-hub:OWNER/NAME`; or `local-dir:FOLDER`
                with open_clip's config and weights.
            weights: open_clip's tag of published weights, which are downloaded once; a file
                (safetensors, or a checkpoint that holds tensors only); or `TAG=FILE`, a file of
                the weights with that tag. None for `small`, `hf-hub:` and `local-dir:`.
            device: torch device; empty: cuda if available, else cpu.
            alpha: file of the weights of Alpha-CLIP's vision tower for this model, which sees the
                region in a crop's alpha channel; empty: the model's own tower.

        Raises:
            UsageError: the model does not exist, its weights cannot be loaded, or they need
                another activation than the model has.
        """
        name = f"{FOLDER_PREFIX}{FOLDER}" if model == SMALL else model
        self._device = _device(device)
        if model == SMALL:
            torch.set_num_threads(1)  # more threads do not speed up the small model
        chosen = weights_of(name, weights, open_clip)
        of_alpha = f", alpha {digest_of(alpha)}" if alpha else ""
        half = self._device.type == "cuda"
        self._dtype = torch.float16 if half else torch.float32
        self._batch = _BATCH.get(self._device.type, _BATCH["cpu"])
        try:
            self._model, _, self._preprocess = open_clip.create_model_and_transforms(
                name,
                pretrained=chosen.load,
                precision="fp16" if half else "fp32",
                device=self._device,
                **chosen.options,
            )
            self._tokenize, self._length = _tokenizer(name)
            if alpha:
                self._preprocess = add_alpha(self._model, alpha)
        except UsageError:
            raise
        except _UNUSABLE as error:
            files = ", ".join(f"weights {name!r}" for name in (weights, alpha) if name)
            raise UsageError(
                f"CLIP model {model!r}, {files or 'its weights'}: {type(error).__name__}: {error}"
            ) from error
        self._model.eval()
        activation = _activation(self._model)
        if (chosen.quick_gelu or alpha) and QUICK_GELU not in activation:
            raise UsageError(
                f"CLIP model {model!r}: its weights {alpha or weights!r} need {QUICK_GELU}, and "
                f"open_clip builds it with {activation}"
            )
        shown = f"{_shown(model)} {chosen.shown}".strip()
        self._identity = f"{shown}{of_alpha}, {activation}, by sentence"

    @property
    def identity(self) -> str:
        """The names of model, weights and activation, and what is scored.

        Scores of different identities are not comparable.
        """
        return self._identity

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each crop and caption; each sentence is scored by itself."""
        if len(crops) != len(captions):
            raise ValueError(f"{len(crops)} crops, {len(captions)} captions")
        if not crops:
            return []
        by_caption = [parts(caption, self._fits) for caption in captions]
        flat = [part for of_caption in by_caption for part in of_caption]
        distinct = {id(crop): crop for crop in crops}  # a crop of several captions is seen once
        rows = {key: row for row, key in enumerate(distinct)}
        image_vectors = self._encode(
            list(distinct.values()), self._pixels, self._model.encode_image
        )[[rows[id(crop)] for crop in crops]]
        text_vectors = self._encode(flat, self._tokens, self._model.encode_text)
        owners = np.repeat(np.arange(len(captions)), list(map(len, by_caption)))
        cosines = (image_vectors[owners] * text_vectors).sum(axis=1)
        lengths = np.array([max(1, len(part.split())) for part in flat])
        ends = [0, *accumulate(map(len, by_caption))]
        return [_score(cosines[begin:end], lengths[begin:end]) for begin, end in pairwise(ends)]

    def probability(self, cosine: float) -> float | None:
        """Return SigLIP's own probability of a match; None for a model without a bias."""
        bias = getattr(self._model, "logit_bias", None)
        if bias is None:
            return None
        with torch.inference_mode():
            logit = self._model.logit_scale.float().exp() * cosine + bias.float()
            return float(torch.sigmoid(logit))

    def _fits(self, text: str) -> bool:
        """Return whether a text fits into the encoder without being cut."""
        rows = self._tokenize([text, ""], self._length + 1)
        return bool(rows[0, -1] == rows[1, -1])

    def _pixels(self, crops: list[Image.Image]) -> Any:
        return torch.stack([self._preprocess(crop) for crop in crops]).to(self._dtype)

    def _tokens(self, texts: list[str]) -> Any:
        return self._tokenize(texts, self._length)

    def _encode(
        self, items: list[T], prepare: Callable[[list[T]], Any], encode: Callable[..., Any]
    ) -> NDArray[np.float64]:
        """Return the embeddings of items as unit vectors, (N, D)."""
        rows = []
        for begin in range(0, len(items), self._batch):
            batch = prepare(items[begin : begin + self._batch])
            missing = self._batch - len(batch)
            full = torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])
            with torch.inference_mode():
                vectors = encode(full.to(self._device), normalize=True)
            rows.append(vectors[: len(batch)].double().cpu().numpy())
        return np.concatenate(rows)


def worker_scorer(model: str, weights: str, device: str, alpha: str) -> Scorer:
    """Return a scorer for one of several processes: those that use the same GPU share one.

    Args and errors as of `ClipScorer`, and `BuildError` as of `SharedScorer`.
    """
    make = partial(ClipScorer, model, weights, device, alpha)
    used = _device(device)
    if used.type == "cpu":
        return make()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return SharedScorer(make, f"{model}\n{weights}\n{alpha}\n{used}\n{seen}")


def _score(cosines: NDArray[np.float64], lengths: NDArray[np.int64]) -> Score:
    return Score(
        mean=round(float(np.average(cosines, weights=lengths)), _DECIMALS),
        minimum=round(float(cosines.min()), _DECIMALS),
    )


def _device(name: str) -> Any:
    cuda = torch.cuda.is_available()
    try:
        device = torch.device(name or ("cuda" if cuda else "cpu"))
    except RuntimeError:
        raise UsageError(f"device {name!r}: expected cpu, cuda or cuda:1") from None
    if device.type == "cuda" and not cuda:
        raise UsageError(f"device {name!r}: torch sees no such device here; cpu works anywhere")
    return device


def _shown(model: str) -> str:
    """Return a model's name for an identity; of a folder, the name without its path."""
    return Path(model).name if model.startswith(FOLDER_PREFIX) else model


def _activation(model: Any) -> str:
    """Return the names of the activations in a model, as their classes are called."""
    names = {type(module).__name__ for module in model.modules()}
    return "+".join(sorted(name for name in names if "gelu" in name.lower())) or "no GELU"


def _tokenizer(name: str) -> tuple[Tokenizer, int]:
    """Return the tokenizer of a model, and the length of its rows of token ids."""
    context = open_clip.get_model_config(name)["text_cfg"].get("context_length", 77)
    if name.startswith(FOLDER_PREFIX):
        path = Path(name.removeprefix(FOLDER_PREFIX)) / CONFIG_NAME
        words = json_decoding.load(path.read_bytes()).get("vocabulary")
        if words is not None:
            vocabulary = Vocabulary(words)

            def tokenize(texts: list[str], length: int) -> Any:
                return torch.tensor([vocabulary.encode(text, length) for text in texts])

            return tokenize, context
    return open_clip.get_tokenizer(name), context
