"""The attention without host syncs, against transformers' SDPA and against separate runs."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaForCausalLM, MistralConfig, MistralForCausalLM

from model.attention import (
    ATTENTION_NAME,
    Segments,
    has_kernel,
    ids_of,
    mask_of,
    packed_attention,
    segment_mask,
)
from tests.model.attention.rows import SHAPE, numbers_of, offsets_of, positions_of


def test_causal_rows_are_those_of_sdpa(llama: LlamaForCausalLM) -> None:
    ids = torch.randint(64, (3, 9))
    expected = llama(ids).logits
    llama.set_attn_implementation(ATTENTION_NAME)
    torch.testing.assert_close(llama(ids).logits, expected)


def test_gradients_of_causal_rows_are_those_of_sdpa(llama: LlamaForCausalLM) -> None:
    ids = torch.randint(64, (2, 7))
    expected = _gradient(llama, ids)
    llama.set_attn_implementation(ATTENTION_NAME)
    torch.testing.assert_close(_gradient(llama, ids), expected)


def test_segments_of_a_row_are_as_in_separate_runs(llama: LlamaForCausalLM) -> None:
    rows = [[5, 3, 1], [4, 2, 3]]
    ids = torch.randint(64, (2, 9))
    segments = torch.tensor([numbers_of(lengths) for lengths in rows])
    positions = torch.tensor([positions_of(lengths) for lengths in rows])
    expected = torch.stack(
        [
            torch.cat([llama(part[None]).logits[0] for part in row.split(lengths)])
            for row, lengths in zip(ids, rows, strict=True)
        ]
    )

    llama.set_attn_implementation(ATTENTION_NAME)
    mask = segment_mask(segments)
    packed = llama(ids, attention_mask=mask, position_ids=positions).logits

    assert mask.shape == (2, 1, 9, 9)
    torch.testing.assert_close(packed, expected)


def test_segments_by_their_offsets_are_as_by_a_mask(llama: LlamaForCausalLM) -> None:
    llama.set_attn_implementation(ATTENTION_NAME)
    lengths = [4, 1, 6, 3]
    ids, segments = torch.randint(64, (1, 14)), torch.tensor([numbers_of(lengths)])
    positions = torch.tensor([positions_of(lengths)])
    outputs, gradients = [], []
    for mask in (segment_mask(segments), offsets_of(lengths)):
        llama.zero_grad()
        logits = llama(ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
        logits.square().sum().backward()
        outputs.append(logits)
        gradients.append(llama.model.layers[0].self_attn.v_proj.weight.grad.clone())
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_attention_by_offsets_makes_no_square_of_the_row() -> None:
    lengths = [40, 30, 50]
    sizes: list[int] = []
    query = torch.randn(1, 2, sum(lengths), 8, requires_grad=True)

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(  # torch's own signature
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() for t in tree_leaves(made) if isinstance(t, Tensor))
            return made

    with Sizes():
        output, _ = packed_attention(torch.nn.Module(), query, query, query, offsets_of(lengths))
        output.sum().backward()
    assert len(sizes) > len(lengths)
    assert max(sizes) < sum(lengths) ** 2


def test_offsets_that_are_not_those_of_the_row_are_an_error() -> None:
    query = torch.randn(1, 2, 5, 8)
    with pytest.raises(RuntimeError, match="sum exactly to 5"):
        packed_attention(torch.nn.Module(), query, query, query, offsets_of([3, 1]))


def test_ids_and_offsets_of_segments_are_an_error() -> None:
    segments = Segments(ids=torch.zeros(1, 3), offsets=torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="segment_ids and segment_offsets: expected one"):
        mask_of(ATTENTION_NAME, None, segments, torch.zeros(1, 3, 8))


WORDS = [
    ("cpu", torch.float32, torch.int32),
    ("cpu", torch.bfloat16, torch.int32),
    ("meta", torch.bfloat16, torch.int32),
    ("meta", torch.float32, torch.bool),  # as on a GPU that computes in float32
]


@pytest.mark.parametrize(("device", "dtype", "form"), WORDS)
def test_offsets_are_used_where_segments_can_be_told_apart_by_them(
    device: str, dtype: torch.dtype, form: torch.dtype
) -> None:
    words = torch.zeros(1, 9, 8, dtype=dtype, device=device)
    segments = Segments(offsets=torch.tensor([0, 2, 6, 9], device=device).int(), longest=4)
    mask = mask_of(ATTENTION_NAME, None, segments, words)
    assert mask is not None
    assert mask.dtype == form
    assert mask.shape == ((1, 1, 4, 4) if form == torch.int32 else (1, 1, 9, 9))
    assert has_kernel(words) == ((device, dtype) == ("meta", torch.bfloat16))


def test_offsets_are_ids_of_segments() -> None:
    offsets = torch.tensor([0, 2, 6, 9], dtype=torch.int32)
    assert (ids_of(offsets, 9) - 1).tolist() == [numbers_of([2, 4, 3])]


def test_the_segment_mask_of_a_small_row() -> None:
    mask = segment_mask(torch.tensor([[7, 7, 2, 2]]))
    assert mask[0, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("new", [1, 3])
def test_tokens_after_a_cached_prefix_see_all_of_it(llama: LlamaForCausalLM, new: int) -> None:
    ids = torch.randint(64, (2, 8))
    expected = llama(ids).logits[:, -new:]
    llama.set_attn_implementation(ATTENTION_NAME)
    prefix = llama(ids[:, :-new], use_cache=True)
    name = "cache" if "cache" in prefix else "past_key_values"
    rest = llama(ids[:, -new:], **{name: prefix[name]}).logits
    torch.testing.assert_close(rest, expected)


def test_a_module_that_is_not_causal_sees_all() -> None:
    query, key, value = (torch.randn(1, 2, 5, 8, dtype=torch.float64) for _ in range(3))
    module = torch.nn.Module()
    module.is_causal = False
    output, weights = packed_attention(module, query, key, value, None, scaling=0.5)
    scores = (0.5 * query @ key.transpose(2, 3)).softmax(-1)
    torch.testing.assert_close(output, (scores @ value).transpose(1, 2))
    assert weights is None


def test_the_host_reads_no_value_of_a_tensor(llama: LlamaForCausalLM) -> None:
    ids = torch.randint(64, (2, 9))
    positions = torch.arange(9).expand(2, 9)
    with HostReads() as reads:
        llama(ids, position_ids=positions, use_cache=False)
    assert reads.count  # transformers looks for packed rows

    llama.set_attn_implementation(ATTENTION_NAME)
    with HostReads() as reads:
        llama(ids, position_ids=positions, use_cache=False)
        mask = segment_mask(positions // 3)
        llama(ids, position_ids=positions, attention_mask=mask, use_cache=False)
    assert reads.count == 0


def test_a_sliding_window_is_refused_where_it_would_matter() -> None:
    config = MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=6)
    mistral = MistralForCausalLM(config).double().eval()
    ids = torch.randint(64, (1, 6))
    expected = mistral(ids).logits
    mistral.set_attn_implementation(ATTENTION_NAME)
    torch.testing.assert_close(mistral(ids).logits, expected)
    with pytest.raises(ValueError, match="7 positions with a sliding window of 6"):
        mistral(torch.randint(64, (1, 7)))
    row = torch.randint(64, (1, 9))
    assert mistral(row, attention_mask=offsets_of([6, 3])).logits.isfinite().all()
    with pytest.raises(ValueError, match="7 positions with a sliding window of 6"):
        mistral(row, attention_mask=offsets_of([2, 7]))


def test_a_softcap_is_refused() -> None:
    query = torch.randn(1, 2, 5, 8)
    with pytest.raises(ValueError, match="has no softcap"):
        packed_attention(torch.nn.Module(), query, query, query, None, softcap=30.0)


class HostReads(TorchDispatchMode):
    """Counts the times at which a device's value would be waited for by the host."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(  # torch's own signature
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += func.overloadpacket is torch.ops.aten._local_scalar_dense
        return func(*args, **(kwargs or {}))


def _gradient(llama: LlamaForCausalLM, ids: Tensor) -> Tensor:
    llama.zero_grad()
    llama(ids, labels=ids).loss.backward()
    weight: Tensor = llama.model.layers[0].self_attn.k_proj.weight
    return weight.grad.clone()
