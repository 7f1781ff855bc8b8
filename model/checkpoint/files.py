"""The weight files of a folder: opened, checked, and mapped into memory without being read.

A folder holds one of these, looked for in this order, as transformers does:

    model.safetensors                one file
    model.safetensors.index.json     {"weight_map": {key: name of the file that holds it}}
    pytorch_model.bin                one file, a pickle of tensors
    pytorch_model.bin.index.json     as above

A pickle is opened for tensors only: one that asks for anything else is refused.
"""

import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.misfit import PICKLE
from schemas import json_decoding
from schemas.errors import InputFileError, UsageError
from schemas.hub_name import check_model_name
from schemas.near import near_folder

_CANDIDATES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# What repositories hold beside a model in transformers' layout.
_OTHER_FILES = ("*/*", "open_clip*", "consolidated*")


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint by key, each mapped from its file and read when it is used."""

    origin: str  # the folder or the file, for messages
    tensors: dict[str, Tensor]
    files: dict[str, Path]  # the file of each key

    def renamed(self, names: dict[str, str]) -> "Weights":
        """Return the tensors that `names` lists, under the names that it gives: {old: new}."""
        return Weights(
            self.origin,
            {new: self.tensors[old] for old, new in names.items()},
            {new: self.files[old] for old, new in names.items()},
        )

    def joined(self, *others: "Weights") -> "Weights":
        """Return these tensors and others', of which the last counts where a key is in several."""
        parts = (self, *others)
        return Weights(
            ", ".join(part.origin for part in parts),
            {key: tensor for part in parts for key, tensor in part.tensors.items()},
            {key: file for part in parts for key, file in part.files.items()},
        )


def local_folder(name: str | Path) -> Path:
    """Return the folder of a model that is named by its path, or by its name on the Hub.

    A model on the Hub, e.g. `openai/clip-vit-large-patch14`, is fetched into transformers' cache,
    as safetensors where it has them.

    Raises:
        UsageError: there is neither such a folder nor such a model.
        InputFileError: the Hub does not answer.
    """
    if Path(name).is_dir():
        return Path(name)
    text = str(name)
    check_model_name(text)
    folder = _fetch(text, "*.safetensors")
    if not list(folder.glob("*.safetensors")):
        folder = _fetch(text, "*.bin")
    return folder


def open_folder(folder: Path) -> Weights:
    """Open the weight files of a folder in transformers' layout."""
    main = next((folder / name for name in _CANDIDATES if (folder / name).is_file()), None)
    if main is None:
        expected = ", ".join(_CANDIDATES)
        raise InputFileError(f"{folder}: no weights, expected one of {expected}")
    if main.suffix != ".json":
        return open_files(folder, [main])
    return open_files(folder, _shards(main))


def open_files(origin: str | Path, paths: Iterable[Path]) -> Weights:
    """Open weight files, safetensors or pickles of tensors, as one checkpoint."""
    weights = Weights(str(origin), {}, {})
    for path in paths:
        for key, tensor in _open(path).items():
            if key in weights.tensors:
                raise InputFileError(f"{path}: key {key} is in {weights.files[key]} too")
            weights.tensors[key] = tensor
            weights.files[key] = path
    return weights


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json_decoding.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputFileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputFileError(f"{path}: expected a JSON object")
    return content


def _fetch(name: str, pattern: str) -> Path:
    try:
        folder = snapshot_download(
            name, allow_patterns=["*.json", pattern], ignore_patterns=list(_OTHER_FILES)
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        absent = isinstance(error, RepositoryNotFoundError) or Path(name).parent.is_dir()
        raise (UsageError if absent else InputFileError)(
            f"{name}: no such folder{near_folder(name)}, and not fetched from the Hub: {reason}"
        ) from error
    return Path(folder)


def _shards(index: Path) -> list[Path]:
    """Return the files that an index names, in the order of their names."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputFileError(f"{index}: no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name:
            raise InputFileError(f"{index}: {name} is not a file of the same folder")
        if not (index.parent / name).is_file():
            raise InputFileError(f"{index.parent / name}: no such file, and {index.name} names it")
    return [index.parent / name for name in names]


def _open(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return _open_safetensors(path)
    return _open_pickle(path)


def _open_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys()
            return {key: file.get_tensor(key) for key in keys}
    except (OSError, SafetensorError) as error:
        raise InputFileError(f"{path}: cut off, or not safetensors: {error}") from error


def _open_pickle(path: Path) -> dict[str, Tensor]:
    """Open a file of `torch.save` for tensors only; older ones are no zip, and read at once."""
    try:
        mapped = zipfile.is_zipfile(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise InputFileError(f"{path}: {PICKLE}") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputFileError(f"{path}: cut off, or not a file of torch.save: {reason}") from error
    if not isinstance(content, dict):
        raise InputFileError(f"{path}: expected tensors by key, got {type(content).__name__}")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputFileError(f"{path}: {key} is {type(value).__name__}, expected a tensor")
    return content
