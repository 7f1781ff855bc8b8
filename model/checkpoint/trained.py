"""The trained part of a model alone: what is not as the towers' owners published it.

    config.json                of the model, with the towers' configurations
    generation_config.json     e.g. the words that end an answer
    trained.safetensors        the connector, and every other tensor that training has changed
    trained.json               the towers that the rest comes from:

        {"format": 1,
         "towers": {"vision_tower": {"name": "openai/clip-vit-large-patch14-336",
                                     "fingerprint": "5e0c...",
                                     "tensors": ["vision_tower.model.embeddings...", ...]}}}

A tensor is left out where the tower's folder has it, bit by bit: whatever was trained at whatever
stage is saved. The fingerprint is of the tensors left out, as they stand in the tower's files; it
does not depend on the number of files or their form.
"""

import copy
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors.torch import save_file
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from model.checkpoint.build import build_model, stored_dtype
from model.checkpoint.export import check_plain
from model.checkpoint.files import Weights, open_files, read_json
from model.checkpoint.new_folder import new_folder
from model.checkpoint.own_config import check_format, read_own_config
from model.checkpoint.towers import (
    LANGUAGE,
    VISION,
    Tower,
    current_names,
    plain_name,
    read_language,
    read_vision,
    stable_name,
)
from model.config import FORMAT, RegionConfig
from model.misfit import listed
from model.region_model import RegionModel
from schemas.errors import InputFileError, UsageError

_WEIGHTS, _RECORD = "trained.safetensors", "trained.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """A tower: its prefix in our models, where it came from, and the reader of such a folder."""

    prefix: str
    source: str | None
    read: Callable[[str | Path, PreTrainedConfig], Tower]
    expected: PreTrainedConfig

    @property
    def title(self) -> str:
        """The tower's name in our models."""
        return self.prefix.split(".")[0]

    def open(self) -> Weights:
        """Open the tower that this part came from, under plain names."""
        assert self.source is not None
        weights = self.read(self.source, self.expected).weights
        return weights.renamed({key: plain_name(key) for key in weights.tensors})


def save_trained(model: RegionModel, folder: str | Path) -> None:
    """Save what training has changed, and the names of the towers that the rest comes from.

    Where a tower's folder is gone, or was never known, all of the tower is saved.

    Args:
        model: made by `load_towers`, `load_trained` or any other way.
        folder: a new one.
    """
    check_plain(model)
    tensors = _tensors(model)
    towers: dict[str, dict[str, Any]] = {}
    for part in _parts(model.config):
        source = _source(part)
        kept = [key for key in source if key in tensors and _equal(tensors[key], source[key])]
        if kept:
            towers[part.title] = {
                "name": part.source,
                "fingerprint": _fingerprint(source, kept),
                "tensors": sorted(kept),
            }
            tensors = {key: tensors[key] for key in tensors.keys() - set(kept)}
    config = copy.deepcopy(model.config)
    config.dtype = model.dtype
    with new_folder(folder) as partial:
        config.save_pretrained(partial)
        model.generation_config.save_pretrained(partial)
        record = json.dumps({"format": FORMAT, "towers": towers}, indent=1)
        (partial / _RECORD).write_text(record + "\n", encoding="utf-8")
        stored = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
        save_file(stored, partial / _WEIGHTS, metadata={"format": "pt"})


def load_trained(
    folder: str | Path,
    *,
    vision: str | Path | None = None,
    language: str | Path | None = None,
    dtype: torch.dtype | None = None,
) -> RegionModel:
    """Return the model whose trained part is in a folder of `save_trained`.

    Args:
        folder: of the trained part.
        vision: the vision tower's folder or name on the Hub, where it is not where it was.
        language: the language model's.
        dtype: of all parameters; by default that of the saved model.
    """
    folder = Path(folder)
    config = read_own_config(folder)
    record = read_json(folder / _RECORD)
    check_format(folder / _RECORD, record.get("format"))
    if vision is not None:
        config.vision_source = stable_name(vision)
    if language is not None:
        config.language_source = stable_name(language)
    trained = open_files(folder, [folder / _WEIGHTS])
    weights = trained.renamed(current_names(trained.tensors, config.vision_config))
    for part in _parts(config):
        if saved := record.get("towers", {}).get(part.title):
            weights = _left_out(part, saved, folder, config.vision_config).joined(weights)
    model = build_model(
        config, weights, dtype or stored_dtype(config, trained), fresh_connector=False
    )
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


def _parts(config: RegionConfig) -> tuple[_Part, _Part]:
    return (
        _Part(VISION, config.vision_source, read_vision, config.vision_config),
        _Part(LANGUAGE, config.language_source, read_language, config.text_config),
    )


def _tensors(model: RegionModel) -> dict[str, Tensor]:
    """Return the model's tensors by plain name, one name for tensors that are one."""
    names = {name for name, _ in model.named_parameters()}
    names |= {name for name, _ in model.named_buffers()}
    state = model.state_dict()
    return {plain_name(name): state[name] for name in state if name in names}


def _source(part: _Part) -> dict[str, Tensor]:
    """Return the tensors of the tower that a part came from; none where they are gone."""
    if part.source is None:
        return {}
    try:
        return part.open().tensors
    except (InputFileError, UsageError) as error:
        _log.warning("the %s is saved whole: %s", part.title, error)
        return {}


def _equal(tensor: Tensor, stored: Tensor) -> bool:
    """Whether a stored tensor makes the model's, in the model's type."""
    return tensor.shape == stored.shape and torch.equal(
        tensor.detach().cpu(), stored.to(tensor.dtype)
    )


def _left_out(
    part: _Part, saved: dict[str, Any], folder: Path, vision_config: PreTrainedConfig
) -> Weights:
    """Open a tower, and make sure that it has what was left out when the folder was saved."""
    if part.source is None:
        raise InputFileError(f"{folder / _RECORD}: no name of the {part.title}: give its folder")
    weights = part.open()
    absent = set(saved["tensors"]) - weights.tensors.keys()
    if absent or _fingerprint(weights.tensors, saved["tensors"]) != saved["fingerprint"]:
        raise InputFileError(
            f"{part.source}: not the {part.title} that {folder} was trained with, which was "
            f"{saved['name']}: "
            + (f"it has no {listed(absent)}" if absent else "its weights differ")
        )
    return weights.renamed(current_names(saved["tensors"], vision_config))


def _fingerprint(tensors: dict[str, Tensor], keys: Iterable[str]) -> str:
    """Return a hash of the bits of tensors, in the order of their names."""
    digest = xxhash.xxh3_128()
    for key in sorted(keys):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
