"""Whole checkpoints of others: the released GPT4RoI and LLaVA-1.5, under our names.

    theirs, as trained             as converted to transformers' Llava     ours
    model.layers.0...              language_model.model.layers.0...        language_model.model...
    lm_head.weight                 language_model.lm_head.weight           language_model.lm_head...
    model.mm_projector...          multi_modal_projector.linear_1...       connector.projector...
    model.vision_tower.vision...   vision_tower.vision_model...            vision_tower.model...
    model.spi_module...            (nobody converted it)                   connector.region_encoder

Later conversions put `model.` before all and leave it out inside: `lm_head.weight` and
`model.language_model.layers.0...`.

Both have words that were added to the language model's vocabulary. Ours has none: the vocabulary
is cut to the configuration's, and GPT4RoI's image start and end go to the connector.

GPT4RoI was released as the difference to LLaMA's weights; LLaVA's first versions were too.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from model.checkpoint.build import build_model, stored_dtype
from model.checkpoint.files import Weights, local_folder, open_folder, read_json
from model.checkpoint.first_stage import FirstStage, boundaries, projector
from model.checkpoint.load import set_boundaries
from model.checkpoint.released_region_module import region_encoder
from model.checkpoint.towers import (
    LANGUAGE,
    check_language,
    check_vision,
    is_difference,
    read_vision,
    refuse_difference,
    vision_names,
)
from model.config import GPT4RoIConfig, RegionConfig
from model.misfit import listed
from model.region_model import RegionModel
from schemas.errors import InputFileError, UsageError

_START, _END = "<im_start>", "<im_end>"  # GPT4RoI's added words
_ROTATIONS = ("rope_theta", "rope_scaling")  # older versions' fields of the position embedding
_VOCABULARY = (LANGUAGE + "model.embed_tokens.weight", LANGUAGE + "lm_head.weight")


@dataclass(frozen=True)
class _Layout:
    """The prefixes of a checkpoint's parts; the language model's is replaced by `inner`."""

    projector: str
    vision: str
    language: str
    inner: str
    regions: str = "model.spi_module."  # GPT4RoI's alone, which nobody converted


_LAYOUTS = (
    _Layout("model.mm_projector.", "model.vision_tower.vision_tower.", "", ""),
    _Layout("multi_modal_projector.", "vision_tower.", "language_model.", ""),
    _Layout(
        "model.multi_modal_projector.", "model.vision_tower.", "model.language_model.", "model."
    ),
)


def load_released(
    folder: str | Path,
    config: RegionConfig,
    *,
    vision: str | Path | None = None,
    base: str | Path | None = None,
    dtype: torch.dtype | None = None,
) -> RegionModel:
    """Return a model with the weights of the released GPT4RoI or of LLaVA-1.5.

        load_released("GPT4RoI-7B-delta", gpt4roi_7b_released(), base="llama-7b",
                      vision="openai/clip-vit-large-patch14")
        load_released("llava-hf/llava-1.5-7b-hf", regiongpt_7b())

    LLaVA has no module for regions: RegionGPT's refinement starts anew.

    Args:
        folder: of the checkpoint, or its name on the Hub.
        config: of our model; it is not changed.
        vision: a folder or a name on the Hub; by default what the checkpoint holds, or names.
        base: LLaMA's folder or name, where the checkpoint is the difference to it.
        dtype: of all parameters; by default the checkpoint's.
    """
    config = copy.deepcopy(config)
    path = local_folder(folder)
    weights = open_folder(path)
    layout = _layout(weights)
    stated = read_json(path / "config.json")
    text = _text_config(path, stated, config)
    language = _language(weights, layout)
    if base is None:
        refuse_difference(language, "give LLaMA's folder as base")
    else:
        language = _added(language, base, text)
    start = _connector(path, weights, layout, language, config)
    set_boundaries(config, start, path)
    text.vocab_size = config.text_config.vocab_size
    if text.pad_token_id is not None and text.pad_token_id >= text.vocab_size:
        text.pad_token_id = None  # an added word
    config.text_config = text
    name = vision if vision is not None else stated.get("mm_vision_tower")
    tower = _own_vision(path, weights, layout, config) if vision is None else None
    if tower is None:
        if name is None:
            raise UsageError(f"{folder}: holds no vision tower and names none: give one")
        named = read_vision(name, config.vision_config)
        config.vision_config, config.vision_source = named.config, named.name
        tower = named.weights
    joined = tower.joined(_cut(language, text.vocab_size), start.weights)
    return build_model(
        config, joined, dtype or stored_dtype(text, weights), fresh_connector=not start.whole
    )


def _layout(weights: Weights) -> _Layout:
    for layout in _LAYOUTS:
        if any(key.startswith(layout.projector) for key in weights.tensors):
            return layout
    raise InputFileError(
        f"{weights.origin}: no projector, expected keys of "
        f"{', '.join(layout.projector + '*' for layout in _LAYOUTS)}; the keys are "
        f"{listed(weights.tensors)}"
    )


def _text_config(path: Path, stated: dict[str, Any], config: RegionConfig) -> PreTrainedConfig:
    """Return the language model's configuration, of which the checkpoint states some fields.

    LLaVA's own stands flat in config.json, among fields of its own; transformers' is within.
    """
    kind = config.text_config.model_type
    inner = stated.get("text_config")
    if isinstance(inner, dict):
        fields = {"model_type": kind, **inner}
    else:
        known = {*CONFIG_MAPPING[kind]().to_dict(), *_ROTATIONS} - {"architectures"}
        fields = {key: stated[key] for key in stated if key in known} | {"model_type": kind}
    if fields.pop("model_type") != kind:
        raise InputFileError(f"{path}/config.json: no language model of type {kind}")
    fields.setdefault("dtype", stated.get("dtype") or stated.get("torch_dtype"))
    text = CONFIG_MAPPING[kind](**fields)
    check_language(path / "config.json", text, config.text_config)
    return text


def _language(weights: Weights, layout: _Layout) -> Weights:
    others = (layout.projector, layout.vision, layout.regions)
    names = {}
    for key in weights.tensors:
        if key.startswith(others):
            continue
        if layout.language and key.startswith(layout.language):
            names[key] = LANGUAGE + layout.inner + key.removeprefix(layout.language)
        else:
            names[key] = LANGUAGE + key
    return weights.renamed(names)


def _added(language: Weights, base: str | Path, text: PreTrainedConfig) -> Weights:
    """Return the sum of a released difference and the weights that it was taken from.

    Added words have no counterpart in the base, and are whole.
    """
    if not is_difference(language):
        raise InputFileError(
            f"{language.origin}: these weights are whole, no difference to others: leave out base"
        )
    folder = local_folder(base)
    check_language(folder / "config.json", AutoConfig.from_pretrained(folder), text)
    others = open_folder(folder)
    sums: dict[str, Tensor] = {}
    for key, difference in language.tensors.items():
        if key.endswith("rotary_emb.inv_freq"):  # no weight; old files have it
            continue
        other = others.tensors.get(key.removeprefix(LANGUAGE))
        if other is None:
            raise InputFileError(f"{folder}: no {key.removeprefix(LANGUAGE)}, which {key} adds to")
        sums[key] = _sum(difference, other, key, folder)
    return Weights(language.origin, sums, {key: language.files[key] for key in sums})


def _sum(difference: Tensor, other: Tensor, key: str, folder: Path) -> Tensor:
    rows = len(other)
    fits = difference.shape == other.shape or (
        key in _VOCABULARY and difference.shape[1:] == other.shape[1:] and len(difference) > rows
    )
    if not fits:
        raise InputFileError(
            f"{folder}: {key} is {list(other.shape)}, and the difference {list(difference.shape)}"
        )
    total = difference.clone()
    total[:rows] += other.to(total.dtype)
    return total


def _connector(
    path: Path, weights: Weights, layout: _Layout, language: Weights, config: RegionConfig
) -> FirstStage:
    """Return what the checkpoint has of our connector."""
    start = projector(weights, config)
    regions = weights.renamed(
        {key: key for key in weights.tensors if key.startswith(layout.regions)}
    )
    if not isinstance(config, GPT4RoIConfig):
        if regions.tensors:
            raise InputFileError(f"{path}: a GPT4RoI, expected its configuration")
        return FirstStage(start, whole=False)
    if regions.tensors:
        start = start.joined(region_encoder(regions, layout.regions, config))
    words = _added_words(path)
    if _START in words and _END in words:
        rows = (words[_START], words[_END])
        start = start.joined(boundaries(language, _VOCABULARY[0], rows))
    return FirstStage(start, whole=bool(regions.tensors))


def _added_words(path: Path) -> dict[str, int]:
    """Return the ids of words that were added to the tokenizer, from the files that list them."""
    words: dict[str, int] = {}
    if (path / "added_tokens.json").is_file():
        words.update(read_json(path / "added_tokens.json"))
    if (path / "tokenizer_config.json").is_file():
        decoder = read_json(path / "tokenizer_config.json").get("added_tokens_decoder", {})
        words.update({entry["content"]: int(row) for row, entry in decoder.items()})
    return words


def _own_vision(
    path: Path, weights: Weights, layout: _Layout, config: RegionConfig
) -> Weights | None:
    """Return the vision tower that the checkpoint holds, if any."""
    keys = [key for key in weights.tensors if key.startswith(layout.vision)]
    if not keys:
        return None
    inner = read_json(path / "config.json").get("vision_config")
    if isinstance(inner, dict):
        kind = config.vision_config.model_type
        fields = {key: inner[key] for key in inner if key != "model_type"}
        stated = CONFIG_MAPPING[inner.get("model_type", kind)](**fields)
        check_vision(path / "config.json", stated, config.vision_config)
        config.vision_config = stated
    return weights.renamed(vision_names(keys, config.vision_config, layout.vision))


def _cut(language: Weights, words: int) -> Weights:
    """Return the language model without the words that were added to its vocabulary."""
    cut = {key: language.tensors[key][:words] for key in _VOCABULARY if key in language.tensors}
    return Weights(language.origin, {**language.tensors, **cut}, language.files)
