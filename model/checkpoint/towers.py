"""The two towers of a model, from the folders that their owners publish.

Vision: CLIP and SigLIP (and SigLIP 2 at a fixed size) in transformers' layout, which OpenCLIP's
models are published in too; whole, with their text part, or the vision part alone. Keys may begin
with `vision_model.` (transformers before 5.19) or not.

Language: every causal language model of transformers, e.g. Llama, Vicuna and Qwen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from model.checkpoint.files import Weights, local_folder, open_folder, read_json
from schemas.errors import InputFileError

VISION = "vision_tower.model."  # the towers' prefixes in our models
LANGUAGE = "language_model."

_VISION_SHAPE = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_channels",
    "image_size",
    "patch_size",
    "stem",
)
_LANGUAGE_SHAPE = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
)
# Keys of a whole CLIP or SigLIP beside its vision tower.
_BESIDE_VISION = (
    "text_model.",
    "text_projection.",
    "visual_projection.",
    "logit_scale",
    "logit_bias",
)

_INNER = "vision_model."
_DIFFERENCE = 0.1  # no trained model's last normalisation has so small weights on average


@dataclass(frozen=True)
class Tower:
    """A tower as its folder has it.

    name: the folder, absolute, or the name on the Hub.
    config: the folder's own configuration, which knows more than the shape, e.g. the activation.
    weights: under the names of our models.
    """

    name: str
    config: PreTrainedConfig
    weights: Weights


def read_vision(name: str | Path, expected: PreTrainedConfig) -> Tower:
    """Open a vision tower that has the shape of the expected configuration."""
    folder = local_folder(name)
    whole = _config(folder)
    config = getattr(whole, "vision_config", whole)
    check_vision(folder / "config.json", config, expected)
    weights = open_folder(folder)
    return Tower(stable_name(name), config, weights.renamed(vision_names(weights.tensors, config)))


def read_language(name: str | Path, expected: PreTrainedConfig) -> Tower:
    """Open a language model that has the shape of the expected configuration.

    Its vocabulary, the base of its position embedding and the like are the folder's.
    """
    folder = local_folder(name)
    config = _config(folder)
    check_language(folder / "config.json", config, expected)
    weights = open_folder(folder)
    names = {key: LANGUAGE + key for key in weights.tensors}
    tower = Tower(stable_name(name), config, weights.renamed(names))
    if config.model_type == "llama":  # others may scale their normalisation by 1 + weight
        refuse_difference(tower.weights, "add them to LLaMA's first")
    return tower


def check_language(path: Path, config: PreTrainedConfig, expected: PreTrainedConfig) -> None:
    """Raise InputFileError where a language model has not the expected shape."""
    if getattr(config, "quantization_config", None) is not None:
        raise InputFileError(f"{path}: the weights are quantized, expected full ones")
    _check_shape(path, config, expected, _LANGUAGE_SHAPE)


def check_vision(path: Path, config: PreTrainedConfig, expected: PreTrainedConfig) -> None:
    """Raise InputFileError where a vision tower has not the expected shape."""
    _check_shape(path, config, expected, _VISION_SHAPE)


def refuse_difference(language: Weights, remedy: str) -> None:
    """Raise InputFileError where a language model's weights are a difference to another's."""
    if is_difference(language):
        raise InputFileError(
            f"{language.origin}: these weights are the difference to LLaMA's (model.norm.weight is "
            f"near 0): {remedy}"
        )


def is_difference(language: Weights) -> bool:
    """Whether a Llama's weights are a difference, as Vicuna v0 and GPT4RoI were released."""
    norm = language.tensors.get(LANGUAGE + "model.norm.weight")
    return norm is not None and bool(norm.float().abs().mean() < _DIFFERENCE)


def vision_names(keys: Iterable[str], config: PreTrainedConfig, prefix: str = "") -> dict[str, str]:
    """Return the names in our models of a vision tower's keys, {theirs: ours}.

    Args:
        keys: theirs, all of the file.
        config: the tower's.
        prefix: what stands before all keys of the tower in this file.
    """
    plain = {
        key: plain_name(VISION + key.removeprefix(prefix))
        for key in keys
        if key.startswith(prefix) and not key.startswith(_BESIDE_VISION)
    }
    names = current_names(plain.values(), config)
    return {key: names[plain[key]] for key in plain}


def current_names(names: Iterable[str], vision_config: PreTrainedConfig) -> dict[str, str]:
    """Return plain names as this version of transformers has them, {plain: current}.

    `vision_model.encoder.layers.0.mlp.fc1.bias` and `encoder.layers.0.mlp.fc1.bias` are the same
    tensor; which of them is the name in transformers' own module depends on its version. In plain
    names, the latter is.
    """
    if not _has_inner(vision_config.model_type):
        return {name: name for name in names}
    return {name: name.replace(VISION, VISION + _INNER, 1) for name in names}


def plain_name(name: str) -> str:
    """Return the name of one of our tensors that all versions of transformers share."""
    return name.replace(VISION + _INNER, VISION, 1)


def stable_name(name: str | Path) -> str:
    """Return the name in a form that means the same in another working folder."""
    return str(Path(name).resolve()) if Path(name).is_dir() else str(name)


def stop_words(name: str | Path) -> dict[str, Any]:
    """Return the ids of special words that the folder's generation_config.json sets.

    A chat model ends its turns with a word that only this file knows, e.g. Qwen's `<|im_end|>`.
    """
    path = local_folder(name) / "generation_config.json"
    known = read_json(path) if path.is_file() else {}
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {key: known[key] for key in ids if known.get(key) is not None}


@cache
def _has_inner(model_type: str) -> bool:
    """Whether this version of transformers puts `vision_model.` before the names of a tower."""
    with torch.device("meta"):
        module = AutoModel.from_config(CONFIG_MAPPING[model_type](num_hidden_layers=1))
    return next(iter(module.state_dict())).startswith(_INNER)


def _config(folder: Path) -> PreTrainedConfig:
    path = folder / "config.json"
    read_json(path)  # whose errors name the file
    try:
        return AutoConfig.from_pretrained(folder)
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputFileError(f"{path}: no configuration of transformers: {reason}") from error


def _check_shape(
    path: Path, config: PreTrainedConfig, expected: PreTrainedConfig, names: Iterable[str]
) -> None:
    """Raise InputFileError that names all fields in which a folder differs from what is expected.

    Args:
        path: the folder's config.json.
        config: what it says.
        expected: the preset's.
        names: the fields that decide the shapes of the weights, and what the connector gets.
    """
    both = {name: (getattr(config, name, None), getattr(expected, name, None)) for name in names}
    differences = [
        f"{name} is {actual}, expected {wanted}"
        for name, (actual, wanted) in both.items()
        if actual != wanted and (name == "model_type" or None not in {actual, wanted})
    ]
    if differences:
        raise InputFileError(
            f"{path}: not the model of this configuration: {'; '.join(differences)}. Where the "
            "towers are right, choose their configuration (`train --model PRESET`)"
        )
