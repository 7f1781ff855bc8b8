"""Small language models, and a stand-in of the kernel that computes all segments of a row."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig, LlamaForCausalLM

from model import attention
from model.attention import offset_mask
from model.shared_keys import SharedKeys
from tests.model.attention.rows import SHAPE


@pytest.fixture(params=[4, 2, 1])
def llama(request: pytest.FixtureRequest) -> LlamaForCausalLM:
    """A language model with 4 heads, whose keys and values have as many, 2, or 1."""
    config = LlamaConfig(**SHAPE, num_key_value_heads=request.param)
    return LlamaForCausalLM(config).double().eval()


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
        assert longest == int(starts.diff().max())
        assert longest_key >= int(ends.diff().max())
        assert query.shape[1] == key.shape[1] or options["enable_gqa"]
        assert options["window_size"] == (-1, 0)
        counts = [starts.diff().tolist(), *[ends.diff().tolist()] * 2]
        heads = (
            each.transpose(0, 1).split(lengths, 1)
            for each, lengths in zip((query, key, value), counts, strict=True)
        )
        parts = []
        for q, k, v in zip(*heads, strict=True):
            seen = torch.ones(q.shape[1], k.shape[1]).tril(k.shape[1] - q.shape[1]).bool()
            settings = {"attn_mask": seen, "scale": options["scale"], "enable_gqa": True}
            parts.append(scaled_dot_product_attention(q, k, v, **settings).transpose(0, 1))
        return torch.cat(parts)

    monkeypatch.setattr(attention, "varlen_attn", varlen)
    monkeypatch.setattr(attention, "_one_by_one", by_kernel)
    return calls


def by_kernel(
    module: torch.nn.Module, heads: Any, offsets: tuple[Tensor, Tensor], settings: Any
) -> Tensor:
    starts, keys = offsets
    shared = None
    if keys is not starts:  # of what is shared the kernel asks no more than this
        none = torch.zeros(int(keys[1]), 0)
        shared = SharedKeys(offsets=keys, positions=none, copies=none, singles=none)
    segments = (offset_mask(starts), shared)
    return attention._by_kernel(heads, segments, settings["scaling"], causal=True)
