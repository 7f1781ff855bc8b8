"""Segments that begin with the tokens of a row's first one, which are in the row once."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from model.attention import (
    ATTENTION_NAME,
    Segments,
    alike_mask,
    mask_of,
    offset_mask,
    packed_attention,
)
from model.shared_keys import SharedKeys, shared_keys
from tests.model.attention.rows import offsets_of

ALIKE = [3, 4, 1, 2]  # tokens of the first segment, and of three that begin with it


def alike() -> tuple[Tensor, SharedKeys]:
    """The offsets of segments that begin alike, and their keys."""
    keys = [0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 7, 0, 1, 2, 8, 9]
    offsets = torch.tensor([0, 3, 10, 14, 19], dtype=torch.int32)
    return offsets_of(ALIKE), shared_keys(offsets, torch.tensor(keys), sum(ALIKE))


@pytest.mark.parametrize("way", ["one by one", "kernel", "mask"])
def test_segments_that_begin_alike_are_as_in_separate_rows(
    llama: LlamaForCausalLM, way: str, request: pytest.FixtureRequest
) -> None:
    if way == "kernel":
        request.getfixturevalue("kernel")
    first, *parts = torch.randint(64, (10,)).split(ALIKE)
    rows = [torch.cat([first, part])[None] for part in parts]
    logits = [llama(row, use_cache=False).logits[0, 3:] for row in rows]
    expected = torch.cat(logits)
    expected.square().sum().backward()
    gradients = [weight.grad.clone() for weight in llama.parameters()]

    llama.zero_grad()
    llama.set_attn_implementation(ATTENTION_NAME)
    mask, shared = alike()
    options: dict[str, Any] = {"attention_mask": mask, "shared": shared}
    if way == "mask":
        options = {"attention_mask": alike_mask(mask[0, 0, 0], 10)}
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 3, 3, 4]])
    ids = torch.cat([first, *parts])[None]
    made = llama(ids, position_ids=positions, use_cache=False, **options).logits[0, 3:]
    torch.testing.assert_close(made, expected)
    made.square().sum().backward()
    summed = [weight.grad for weight in llama.parameters()]
    torch.testing.assert_close(summed, gradients, rtol=1e-5, atol=1e-6)  # norms are in float32


def test_torchs_kernel_takes_segments_that_begin_alike_and_nothing_is_read() -> None:
    """On the meta device, none of whose values can be read."""
    made = [torch.randn(1, 2, 10, 8, dtype=torch.bfloat16, device="meta") for _ in range(3)]
    query, key, value = (each.requires_grad_() for each in made)
    mask, shared = alike()
    offsets, positions = shared.offsets.to("meta"), shared.positions.to("meta")
    shared = shared_keys(offsets, positions, 10)
    mask = offset_mask(mask[0, 0, 0].to("meta"), 4)
    output, _ = packed_attention(torch.nn.Module(), query, key, value, mask, shared=shared)
    assert output.shape == (1, 10, 2, 8)
    assert shared.copies.shape == (3, 4)
    output.sum().backward()
    assert all(each.grad is not None and each.grad.shape == each.shape for each in made)


def test_segments_that_begin_alike_have_a_mask_where_the_kernel_cannot_be() -> None:
    offsets, words = torch.tensor([0, 3, 5, 6]), torch.zeros(1, 6, 8, device="meta")
    segments = Segments(offsets=offsets.to("meta"), longest=3, begin_alike=True)
    mask = mask_of(ATTENTION_NAME, None, segments, words)
    assert mask is not None
    assert (mask.dtype, mask.shape) == (torch.bool, (1, 1, 6, 6))
    rows = ["100000", "110000", "111000", "111100", "111110", "111001"]
    seen = alike_mask(offsets, 6)[0, 0].int().tolist()
    assert ["".join(map(str, row)) for row in seen] == rows


def test_segments_that_begin_alike_without_their_offsets_are_an_error() -> None:
    with pytest.raises(ValueError, match="key_offsets without segment_offsets"):
        mask_of(ATTENTION_NAME, None, Segments(begin_alike=True), torch.zeros(1, 3, 8))
