"""What a token, a picture and a region leave for the backward pass, in bytes.

The tensors that autograd keeps are counted by their memory, each once, without weights. What a
token adds is the difference between batches that differ by tokens alone, so that copies of weights
fall out. A second block of the language model adds what each of the others does: models of one and
two blocks tell what 32 keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from bench.static.cases import (
    CPU,
    Case,
    Mix,
    as_on_cuda,
    case_named,
    laid_out,
    packed,
    pretended_group,
)
from bench.static.pretend import device, is_on_device
from model.batch import Example
from model.config import IGNORED, IMAGE_ID, REGION_ID, GPT4RoIConfig, RegionConfig
from model.processor import RegionProcessor
from model.region_model import RegionModel
from train.step import batch_loss

_TOKENS, _ANSWERS, _REGIONS = 512, 64, 4  # of a row


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Bytes that are kept from the forward pass to the backward pass."""

    token: float
    block: float  # of those of a token, what each block keeps
    supervised: float  # more of a token that has a loss
    picture: float  # beside its tokens
    region: float


def saved_bytes(case: Case) -> Saved:
    """Return what a case's tokens, pictures and regions leave."""
    processor = Mix(case).processor
    blocks = case.config.text_config.num_hidden_layers
    first, second = (
        _of_blocks(case_named(case.name, num_hidden_layers=count), processor) for count in (1, 2)
    )
    block = second.token - first.token
    return replace(first, token=first.token + (blocks - 1) * block, block=block)


def _of_blocks(case: Case, processor: RegionProcessor) -> Saved:
    """Return what is kept with as many blocks as the case has."""
    text, answered = _text(0), _text(_ANSWERS)
    pictured, crowded = (_pictured(case.config, count) for count in (_REGIONS, 2 * _REGIONS))
    batches = [  # each with a picture: without one, nothing trains in a first stage
        [pictured, answered],
        [pictured, answered, text],
        [pictured, answered, answered],
        [pictured, answered, pictured],
        [crowded, answered, crowded],
    ]
    with as_on_cuda(), pretended_group(1) as processes, device():
        model = laid_out(case, processes, "none")
        base, longer, twice, two, many = (_kept(model, processor, batch) for batch in batches)
    token = (longer - base) / _TOKENS
    region = (many - two) / (2 * _REGIONS) - token
    row = len(pictured.input_ids)
    return Saved(
        token=token,
        block=0.0,
        supervised=(twice - longer) / _ANSWERS,
        picture=two - base - token * row - region * _REGIONS,
        region=region,
    )


def _kept(model: RegionModel, processor: RegionProcessor, examples: Sequence[Example]) -> int:
    """Return the bytes that a forward pass keeps, without parameters."""
    weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage()._cdata
        if is_on_device(tensor) and key not in weights:
            kept[key] = tensor
        return tensor

    micro = packed(processor, examples)
    assert micro.batch is not None
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = batch_loss(model, micro.batch, micro.supervised, "bfloat16", CPU)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    loss.backward()  # FSDP2 takes its gathered weights back then
    model.zero_grad(set_to_none=True)
    return size


def _text(answers: int) -> Example:
    """Return a row of text, of which the last tokens have a loss."""
    ids = [1 + number % 200 for number in range(_TOKENS)]
    return Example(input_ids=ids, labels=_labels(ids, answers))


def _pictured(config: RegionConfig, regions: int) -> Example:
    """Return a row of a picture, some regions and words, without a loss."""
    ids = [1, *[IMAGE_ID] * config.image_tokens, *[REGION_ID] * regions, 2, 3]
    side = config.image_size
    boxes = weights = None
    if isinstance(config, GPT4RoIConfig):
        boxes = np.array([[0, 0, side, side]] * regions, np.float32)
    else:
        weights = np.ones((regions, config.region_grid, config.region_grid), np.float32)
    return Example(
        input_ids=ids,
        labels=_labels(ids, 0),
        pixels=np.zeros((side, side, 3), np.uint8),
        region_boxes=boxes,
        region_weights=weights,
        region_tokens=tuple(range(regions)),
    )


def _labels(ids: Sequence[int], answers: int) -> list[int]:
    return [IGNORED] * (len(ids) - answers) + list(ids[len(ids) - answers :])
