"""The proofs of `make bench-static` see what they are to see: faults are planted here."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import linear

from bench.static import __main__ as program
from bench.static import proofs
from bench.static.cases import CASES, Case, Mix, as_on_cuda, case_named, laid_out, pretended_group
from bench.static.collectives import allowed, collectives
from bench.static.narrow import narrowed
from bench.static.operators import Operators
from bench.static.pretend import WaitForDevice, device
from bench.static.proofs import Line
from bench.static.whole_step import WholeStep, whole_step
from model import region_inputs, region_model
from model.batch import Example
from model.flops import flops_by_part
from train.bench.floor import sizes_of
from train.processes import Processes

LOW = torch.bfloat16


def small(name: str) -> Case:
    """A case of few rows, blocks and channels."""
    return replace(narrowed(case_named(name), blocks=2), rows=2)


def test_a_value_of_the_device_is_a_wait_and_one_of_the_host_is_none():
    host = torch.tensor([2.0, 3.0])
    with device() as pretended:
        assert host.sum().item() == 5
        assert torch.tensor([4.0]).item() == 4
        assert pretended.reads.total() == 0
        assert (torch.ones(3) * 7).sum().item() == 1  # of no value
        assert pretended.reads.total() == 1
        with pytest.raises(WaitForDevice):
            torch.ones(3).nonzero()


def test_products_are_counted_and_those_of_the_wrong_type_named():
    seen = Operators()
    with device(seen):
        linear(torch.ones(5, 7, dtype=LOW), torch.ones(3, 7, dtype=LOW))
        assert seen.faults == {}
        assert seen.flops == 2 * 5 * 7 * 3
        torch.ones(5, 7) @ torch.ones(7, 3)
        torch.ones(4, 4, dtype=LOW).pow(2)
        torch.conv2d(torch.ones(1, 2, 4, 4, dtype=LOW), torch.ones(3, 2, 3, 3, dtype=LOW))
    assert seen.faults == {"mm in float32": 1, "pow in bfloat16": 1}
    assert seen.flops == 2 * (2 * 5 * 7 * 3) + 2 * 3 * 4 * 2 * 9
    assert seen.products == {(5, 7, 3): 2}


def test_a_step_at_small_width_waits_once_and_has_no_faults():
    step = whole_step(small("regiongpt_finetune"))
    assert len(step.reads) == 1
    assert step.operators.faults == {}
    assert step.trained > 0
    assert step.peak > 16 * step.trained


def test_a_read_and_a_float32_product_that_are_planted_are_seen(monkeypatch):
    plain = region_inputs.write_vectors

    def planted(words, positions, vectors):
        words = plain(words, positions, vectors)
        words.sum().item()
        with torch.autocast("cpu", enabled=False):
            wide = words[0].float()
            return words + 0 * (wide.T @ wide).mean().to(words)

    monkeypatch.setattr(region_model, "write_vectors", planted)
    step = whole_step(small("regiongpt_finetune"))
    assert len(step.reads) == 2
    assert not proofs._reads(step).holds
    assert step.operators.faults["mm in float32"] > 0
    assert not proofs._types(step).holds


def test_what_layers_keep_is_there_until_their_backward_pass():
    case, kept = small("regiongpt_finetune"), 1e7
    plain, single, double = (
        whole_step(case, "all", numbers, kept=kept)
        for numbers, kept in (([0], 0), ([0], kept), ([0, 0], kept))
    )
    layers = 2 * single.tokens * kept
    assert single.peak - plain.peak == pytest.approx(layers, rel=0.01)
    assert double.peak - single.peak == pytest.approx(4 * single.trained, rel=0.1)  # gradients


def a_step(**changes: Any) -> WholeStep:
    products = Operators(products=Counter({(9000, 64, 64): 1}))
    values: dict[str, Any] = {
        "tokens": 9000,
        "sizes": sizes_of([Example(input_ids=[1] * 9000)]),
        "trained": 1,
        "types": Counter(),
        "reads": Counter(),
        "operators": products,
        "peak": 0,
    }
    return WholeStep(**{**values, **changes})


def test_products_of_few_tokens_are_missed():
    case = replace(case_named("regiongpt_finetune"), rows=1)
    wanted = flops_by_part(case.config, case.recipe.stage, a_step().sizes)["language model"].sum()
    count = round(wanted / (2 * 9000 * 4096 * 4096))
    for side, tokens, holds in ((9000, 9000, True), (9000, 8000, False), (900, 9000, False)):
        products = Operators(products=Counter({(4096, side, 4096): count * 9000 // side}))
        step = a_step(operators=products)
        assert proofs._shapes(case, step, [tokens, 9500]).holds == holds


def test_operations_that_are_not_added_up_are_missed():
    step = whole_step(case_named("gpt4roi_stage1", num_hidden_layers=1))
    case = case_named("gpt4roi_stage1", num_hidden_layers=1)
    assert proofs._flops(case, step).holds
    step.operators.flops *= 1.03
    assert not proofs._flops(case, step).holds


@pytest.mark.parametrize("name", ["regiongpt_pretrain", "regiongpt_finetune"])
def test_collectives_are_those_that_are_needed(name, monkeypatch):
    case = small(name)
    assert collectives(case) == Counter({k: n for k, n in allowed(case).items() if n})
    plain = Processes.add

    def twice(processes, value):
        plain(processes, torch.zeros_like(value))
        return plain(processes, value)

    monkeypatch.setattr(Processes, "add", twice)
    (line,) = proofs.of_collectives(case)
    assert not line.holds


def test_a_missed_bar_is_the_exit_status(monkeypatch, capsys):
    lines = [Line(what="a", seen="1")]
    monkeypatch.setattr(program, "PROOFS", {"step": lambda case: iter(lines)})
    monkeypatch.setattr("sys.argv", ["bench.static", "--case", CASES[0]])
    assert program.main() == 0
    lines.append(Line(what="b", seen="2", bar="at most 1", holds=False))
    assert program.main() == 1
    assert "2   [at most 1]   MISSED" in capsys.readouterr().out


def test_types_are_those_of_a_gpu():
    case = small("regiongpt_pretrain")
    with as_on_cuda(), pretended_group(1) as processes, device():
        model = laid_out(case, processes, "none")
        kinds = {(weight.dtype, weight.requires_grad) for weight in model.parameters()}
    assert kinds == {(torch.float32, True), (LOW, False)}
    assert Mix(case).micro().tokens > 0


def test_a_question_about_a_tensor_moves_nothing():
    seen, tensor = Operators(), torch.zeros(3, 5)
    seen(torch.ops.prim.device.default, [tensor], tensor.device)
    assert seen.moved == 0
    seen(torch.ops.aten.neg.default, [tensor], -tensor)
    assert seen.moved == 2 * 3 * 5 * 4
