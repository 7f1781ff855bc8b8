"""CLIP by open_clip, as a classifier of crops: the nearest of some names.

This module needs the extra `clip`; no other module of the model tower imports open_clip. A crop is
scaled to the model's square, whatever its shape, so that all of the object is in it. A name stands
in open_clip's seven short templates, and the mean of their vectors, divided by its norm, is the
name's vector.
"""

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from schemas.clip_weights import FOLDER_PREFIX, QUICK_GELU, WEIGHTS_NAME, Weights, weights_of
from schemas.errors import UsageError
from schemas.json_decoding import load

try:
    import open_clip
    from safetensors import SafetensorError
except (ImportError, OSError, RuntimeError) as error:  # libraries that are missing or incompatible
    raise UsageError(
        f"--baseline clip needs open_clip: pip install 'regionforge[clip]' ({error})"
    ) from error

_CONFIG_FILE = "open_clip_config.json"
_TOGETHER = 16  # crops

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


class ClipClassifier:
    """A CLIP model that names crops.

    A crop gets the same answer whatever the other crops of a call are: batches have a fixed size.
    """

    def __init__(self, model: str, weights: str, device: torch.device) -> None:
        """Load a model and its tokenizer.

        Args:
            model: open_clip's name of a model; `hf-hub:OWNER/NAME`; or `local-dir:FOLDER` with
                open_clip's config and weights.
            weights: open_clip's tag of published weights, which are downloaded once; a file:
                safetensors, or a checkpoint that holds tensors only; or `TAG=FILE`. Activation and
                normalisation are those of the tag. Empty for `hf-hub:` and `local-dir:`, which
                bring theirs.
            device: where the model computes, in half precision on a GPU.

        Raises:
            UsageError: the model does not exist, or its weights cannot be loaded.
        """
        if model.startswith(FOLDER_PREFIX):
            _check_folder(Path(model.removeprefix(FOLDER_PREFIX)))
        taken = weights_of(model, weights, open_clip)
        self.identity = _identity(model, taken)
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._names: dict[tuple[str, ...], torch.Tensor] = {}
        try:
            self._model, _, self._preprocess = open_clip.create_model_and_transforms(
                model,
                pretrained=taken.load,
                precision="fp16" if device.type == "cuda" else "fp32",
                device=device,
                **{**taken.options, "image_resize_mode": "squash"},
            )
            self._tokenizer = open_clip.get_tokenizer(model)
        except _UNUSABLE as error:
            raise UsageError(
                f"--clip-model {model!r}, weights {weights!r}: {type(error).__name__}: {error}"
            ) from error
        self._model.eval()

    @torch.inference_mode()
    def probabilities(
        self, crops: Sequence[Image.Image], names: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Return the probability of each name for each crop, shape (crops, names)."""
        if names not in self._names:
            self._names[names] = self._encoded(names)
        rows = [np.zeros((0, len(names)), np.float32)]
        for start in range(0, len(crops), _TOGETHER):
            some = [self._preprocess(crop) for crop in crops[start : start + _TOGETHER]]
            full = torch.stack(some + some[-1:] * (_TOGETHER - len(some)))
            seen = self._model.encode_image(full.to(self._device, self._dtype), normalize=True)
            logits = self._model.logit_scale.exp() * seen @ self._names[names]
            rows.append(logits.float().softmax(dim=1)[: len(some)].cpu().numpy())
        return np.concatenate(rows)

    def _encoded(self, names: tuple[str, ...]) -> torch.Tensor:
        """Return the vectors of names, in columns: (D, names)."""
        vectors: torch.Tensor = open_clip.build_zero_shot_classifier(
            self._model,
            self._tokenizer,
            names,
            open_clip.SIMPLE_IMAGENET_TEMPLATES,
            device=self._device,
        )
        return vectors


def _identity(model: str, weights: Weights) -> str:
    """Return the name of model and weights: a tag, or a file's digest wherever it lies."""
    name = Path(model).name if model.startswith(FOLDER_PREFIX) else model
    activation = f", {QUICK_GELU}" if weights.quick_gelu else ""
    return f"{name} {weights.shown}".strip() + activation


def _check_folder(folder: Path) -> None:
    """Raise UsageError for a folder without open_clip's files, or with words of another sort."""
    for name in (_CONFIG_FILE, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise UsageError(f"--clip-model: {folder / name}: no such file")
    try:
        own_words = "vocabulary" in load((folder / _CONFIG_FILE).read_bytes())
    except ValueError as error:
        raise UsageError(f"--clip-model: {folder / _CONFIG_FILE}: no JSON: {error}") from None
    if own_words:
        raise UsageError(f"--clip-model: {folder} has a vocabulary that open_clip does not read")
