"""The attention without host syncs, against transformers' SDPA and against separate runs.

Length: masks, packed rows and the kernel of a GPU share their models and their counters.
"""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from model import attention
from model.attention import (
    ATTENTION_NAME,
    Segments,
    has_kernel,
    ids_of,
    mask_of,
    offset_mask,
    packed_attention,
    segment_mask,
)

SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}


@pytest.fixture(params=[4, 2, 1])
def llama(request: pytest.FixtureRequest) -> LlamaForCausalLM:
    """A language model with 4 heads, whose keys and values have as many, 2, or 1."""
    config = LlamaConfig(**SHAPE, num_key_value_heads=request.param)
    return LlamaForCausalLM(config).double().eval()


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
    segments = torch.tensor([_numbers(lengths) for lengths in rows])
    positions = torch.tensor([_positions(lengths) for lengths in rows])
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
    ids, segments = torch.randint(64, (1, 14)), torch.tensor([_numbers(lengths)])
    positions = torch.tensor([_positions(lengths)])
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
    assert (ids_of(offsets, 9) - 1).tolist() == [_numbers([2, 4, 3])]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The calls of the kernel, in whose place each segment is computed by itself."""
    calls: list[dict[str, Any]] = []

    def varlen(  # torch's own signature
        query: Tensor,
        key: Tensor,
        value: Tensor,
        starts: Tensor,
        ends: Tensor,
        longest: int,
        longest_key: int,
        **options: Any,
    ) -> Tensor:
        calls.append(options | {"dtypes": {query.dtype, key.dtype, value.dtype}})
        assert torch.equal(starts, ends)
        assert longest == longest_key == int(starts.diff().max())
        assert query.shape[1] == key.shape[1] or options["enable_gqa"]
        settings = {"is_causal": options["window_size"] == (-1, 0), "scale": options["scale"]}
        lengths = starts.diff().tolist()
        heads = (each.transpose(0, 1).split(lengths, 1) for each in (query, key, value))
        parts = [
            scaled_dot_product_attention(q, k, v, enable_gqa=True, **settings).transpose(0, 1)
            for q, k, v in zip(*heads, strict=True)
        ]
        return torch.cat(parts)

    monkeypatch.setattr(attention, "varlen_attn", varlen)
    monkeypatch.setattr(attention, "_one_by_one", by_kernel)
    return calls


def by_kernel(
    module: torch.nn.Module, heads: tuple[Tensor, Tensor, Tensor], offsets: Tensor, settings: Any
) -> Tensor:
    mask = offset_mask(offsets)
    return attention._by_kernel(heads, mask, settings["scaling"], causal=settings["is_causal"])


@pytest.mark.parametrize("grouped", [True, False])
def test_the_kernel_is_called_for_what_one_segment_after_another_is(
    llama: LlamaForCausalLM, kernel: list[dict[str, Any]], grouped: bool, monkeypatch: Any
) -> None:
    """A stand-in of torch's kernel, in a version that groups heads and in one that does not."""
    names = ["scale", "window_size", *(["enable_gqa"] if grouped else [])]
    monkeypatch.setattr(attention, "_VARLEN_OPTIONS", dict.fromkeys(names))
    llama.set_attn_implementation(ATTENTION_NAME)
    lengths = [4, 1, 6, 3]
    ids, positions = torch.randint(64, (1, 14)), torch.tensor([_positions(lengths)])
    segments = segment_mask(torch.tensor([_numbers(lengths)]))
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


def offsets_of(lengths: list[int]) -> Tensor:
    return offset_mask(torch.tensor([0, *lengths]).cumsum(0), max(lengths))


def _numbers(lengths: list[int]) -> list[int]:
    return [number for number, length in enumerate(lengths) for _ in range(length)]


def _positions(lengths: list[int]) -> list[int]:
    return [position for length in lengths for position in range(length)]


def _gradient(llama: LlamaForCausalLM, ids: Tensor) -> Tensor:
    llama.zero_grad()
    llama(ids, labels=ids).loss.backward()
    weight: Tensor = llama.model.layers[0].self_attn.k_proj.weight
    return weight.grad.clone()
