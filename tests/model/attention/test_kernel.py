"""All segments of a row by one kernel, in whose place a stand-in computes."""

from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from model import attention
from model.attention import (
    ATTENTION_NAME,
    offset_mask,
    packed_attention,
    segment_mask,
)
from tests.model.attention.rows import numbers_of, offsets_of, positions_of


@pytest.mark.parametrize("grouped", [True, False])
def test_the_kernel_is_called_for_what_one_segment_after_another_is(
    llama: LlamaForCausalLM, kernel: list[dict[str, Any]], grouped: bool, monkeypatch: Any
) -> None:
    """A stand-in of torch's kernel, in a version that groups heads and in one that does not."""
    names = ["scale", "window_size", *(["enable_gqa"] if grouped else [])]
    monkeypatch.setattr(attention, "_VARLEN_OPTIONS", dict.fromkeys(names))
    llama.set_attn_implementation(ATTENTION_NAME)
    lengths = [4, 1, 6, 3]
    ids, positions = torch.randint(64, (1, 14)), torch.tensor([positions_of(lengths)])
    segments = segment_mask(torch.tensor([numbers_of(lengths)]))
    expected = llama(ids, attention_mask=segments, position_ids=positions, use_cache=False).logits
    mask = offsets_of(lengths)
    made = llama(ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    torch.testing.assert_close(made, expected)
    assert len(kernel) == 2
    assert all(("enable_gqa" in call) == grouped for call in kernel)


def test_the_kernel_is_given_one_type(kernel: list[dict[str, Any]]) -> None:
    """Under autocast, rotation leaves queries and keys in float32."""
    wide = torch.randn(1, 2, 5, 8)
    mask = offsets_of([2, 3])
    output, _ = packed_attention(torch.nn.Module(), wide, wide, wide.bfloat16(), mask)
    assert kernel[0]["dtypes"] == {torch.bfloat16}
    assert output.dtype == torch.bfloat16
    assert output.shape == (1, 5, 2, 8)


def test_torchs_kernel_takes_the_call_in_both_directions() -> None:
    """On the meta device, which checks the call and computes nothing."""
    made = [torch.randn(1, 2, 9, 8, dtype=torch.bfloat16, device="meta") for _ in range(3)]
    query, key, value = (each.requires_grad_() for each in made)
    offsets = torch.tensor([0, 4, 9], dtype=torch.int32, device="meta")
    output, _ = packed_attention(torch.nn.Module(), query, key, value, offset_mask(offsets, 5))
    assert output.shape == (1, 9, 2, 8)
    output.sum().backward()
    assert all(each.grad is not None and each.grad.shape == each.shape for each in made)
    mask = offset_mask(offsets, 5)
    with pytest.raises(ValueError, match="has no dropout on a GPU"):
        packed_attention(torch.nn.Module(), query, key, value, mask, dropout=0.1)
