"""torch.compile on the language model's layers: graph breaks, recompilations, and what is kept.

Breaks and recompilations are looked for on the meta device, at full width with two layers, as the
kernel of a GPU is chosen there: forward and backward pass of a real mix of batches. What a compiled
layer keeps is measured on a real one, in bfloat16 on the CPU, with as few tokens as tell it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.utils import counters
from torch._functorch.aot_autograd import make_boxed_func
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.decomposition import select_decomp_table
from torch.autograd.graph import saved_tensors_hooks
from transformers import AutoModel, AutoModelForCausalLM

from bench.static.cases import BATCHES, Case, Mix, case_named
from model.attention import ATTENTION_NAME
from train import layers
from train.bench.mix import MixedRows
from train.layers import prepare_layers
from train.loop import Job, prepare
from train.processes import Processes
from train.step import batch_loss

_META = torch.device("meta")
_FEW = 64  # tokens
_ROWS = 4  # of a batch: what is compiled does not depend on their number


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What the compiler has done over some batches."""

    breaks: dict[str, int]  # by reason
    first: int  # graphs that the first batch has compiled
    later: int  # graphs of all that came after it


def _unchanged(graph: Any, _inputs: Sequence[Any]) -> Any:
    return make_boxed_func(graph)


# Graphs are traced, decomposed and cut as for a GPU, and then run as they are.
_TRACED = aot_autograd(
    fw_compiler=_unchanged,
    bw_compiler=_unchanged,
    decompositions=select_decomp_table,
    partition_fn=min_cut_rematerialization_partition,
)


@contextmanager
def _traced() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    with patch.object(layers, "BACKEND", _TRACED):
        yield
    torch._dynamo.reset()


def compiled(case: Case) -> Compiled:
    """Return what is compiled over batches of a case's mix."""
    short = replace(case_named(case.name, num_hidden_layers=2), rows=_ROWS)
    mix = Mix(short)
    with torch.device(_META):
        model = AutoModel.from_config(short.config)
    job = Job(
        rows=MixedRows(case.recipe.stage),
        micro_batch=short.rows,
        processes=Processes(device=_META),
        sharded=False,
        recompute=case.recompute,
        compiled=True,
    )
    graphs = []
    with _traced():
        prepare(model, short.recipe, job)
        model.to(torch.bfloat16).train()  # the meta device knows no autocast
        for number in range(BATCHES):
            micro = mix.micro(number)
            assert micro.batch is not None
            batch_loss(model, micro.batch, micro.supervised, "float32", _META).backward()
            graphs.append(counters["stats"]["unique_graphs"])
        breaks = dict(counters["graph_break"])
    return Compiled(breaks=breaks, first=graphs[0], later=graphs[-1] - graphs[0])


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The bytes that a token leaves for the backward pass in a part of the language model."""

    layer: float
    norm: float  # after the last layer


def kept_bytes(case: Case, *, compiled: bool) -> Kept:
    """Return what a layer and the last norm keep; compiled, as training prepares them on a GPU."""
    text = case_named(case.name, num_hidden_layers=1, vocab_size=8).config.text_config
    model = AutoModelForCausalLM.from_config(text, dtype=torch.bfloat16)
    model.set_attn_implementation(ATTENTION_NAME)
    model.requires_grad_(case.trains_language).train()
    decoder = model.get_decoder()
    (layer,) = decoder.layers
    recompute = case.recompute if compiled else "none"
    with _traced():
        prepare_layers([layer, decoder.norm], recompute, compiled=compiled)
        sizes = [_sizes(layer, decoder, count) for count in (_FEW, 2 * _FEW)]
    few, more = sizes
    return Kept(layer=(more.layer - few.layer) / _FEW, norm=(more.norm - few.norm) / _FEW)


def _sizes(layer: nn.Module, decoder: Any, tokens: int) -> Kept:
    """Return what is kept of some tokens, but for weights and angles, which all layers share."""
    width = decoder.config.hidden_size
    state = torch.randn(1, tokens, width, dtype=torch.bfloat16, requires_grad=True)
    angles = decoder.rotary_emb(state, torch.arange(tokens)[None])
    shared = {_storage(tensor) for tensor in (*decoder.parameters(), *angles)}

    def size(part: nn.Module, **inputs: Any) -> int:
        kept: dict[int, Tensor] = {}

        def keep(tensor: Tensor) -> Tensor:
            if _storage(tensor) not in shared:
                kept[_storage(tensor)] = tensor
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            part(state, **inputs)
        return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

    return Kept(
        layer=size(layer, position_embeddings=angles, attention_mask=None), norm=size(decoder.norm)
    )


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
