"""A step: the host reads nothing before its end, and a loss that is no number changes nothing."""

import pytest
import torch

from model.attention import ATTENTION_NAME
from model.batch import Example
from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import RegionGPTForConditionalGeneration
from model.stages import freeze_for
from train import step
from train.data.loader import MicroBatch
from train.optim import make_optimizer
from train.processes import Processes
from train.recipes import regiongpt_finetune


@pytest.fixture
def micro(tokenizer):
    """Two packed rows."""
    processor = processor_for(tiny_regiongpt(), tokenizer)
    rows = [Example(input_ids=[*range(5, n)], labels=[-100, *range(6, n)]) for n in (15, 20)]
    return MicroBatch(
        batch=processor.collate(rows, packed=True), ids=("a", "b"), supervised=23, tokens=25,
        dropped_turns=1, rejected=(),
    )  # fmt: skip


def made(device):
    torch.manual_seed(0)
    with torch.device(device):
        model = RegionGPTForConditionalGeneration(tiny_regiongpt()).train()
    freeze_for(model, "regiongpt_finetune")
    model.set_attn_implementation({"text_config": ATTENTION_NAME})
    return model


def stepped(model, optimizer, micros, device="cpu"):
    processes = Processes(device=torch.device(device))
    return step.optimize(
        model, optimizer, micros, clip=1.0, precision="float32", processes=processes
    )


def test_the_host_waits_once_at_the_end(micro, monkeypatch):
    """On the meta device, where a value that is read is an error."""
    fetched: list[torch.Tensor] = []
    monkeypatch.setattr(step, "_measured", fetched.append)
    monkeypatch.setattr(step, "_update", lambda optimizer, right: fetched.append(right))
    model = made("meta")
    stepped(model, torch.optim.SGD(model.parameters()), [micro, micro], "meta")
    assert fetched.pop(0).device.type == "meta"
    (values,) = fetched
    assert values.shape == (7,)
    assert values.device.type == "meta"


def test_measures_are_of_all_micro_batches(micro):
    model = made("cpu")
    optimizer = make_optimizer(model, regiongpt_finetune())
    result = stepped(model, optimizer, [micro, micro])
    assert (result.supervised, result.tokens, result.rows) == (46, 50, 4)
    assert (result.dropped_turns, result.rejected) == (2, 0)
    assert result.loss > 1
    assert result.gradient_norm > 0


@pytest.mark.parametrize("broken", ["loss", "gradient", "nothing supervised", None])
def test_the_model_stays_as_it_is_where_a_number_is_none(micro, broken):
    model = made("cpu")
    optimizer = make_optimizer(model, regiongpt_finetune())
    stepped(model, optimizer, [micro])
    weight = model.language_model.get_decoder().norm.weight
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    moments = {name: value.clone() for name, value in optimizer.state[weight].items()}
    if broken == "loss":
        model.language_model.lm_head.register_forward_hook(lambda *parts: parts[-1] * float("inf"))
    elif broken == "gradient":
        weight.register_hook(lambda gradient: gradient * float("nan"))
    micros = [] if broken == "nothing supervised" else [micro]
    stepped(model, optimizer, micros)
    same = all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert same == (broken is not None)
    kept = all(torch.equal(value, moments[name]) for name, value in optimizer.state[weight].items())
    assert kept == (broken is not None)
