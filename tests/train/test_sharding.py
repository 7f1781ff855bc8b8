"""The layout of a model: its types, whether it lies in parts, and a whole copy of it again."""

import pytest
import torch
from torch.distributed.tensor import DTensor
from transformers import AutoModel

from model.presets import tiny_regiongpt
from model.region_model import RegionGPTForConditionalGeneration
from model.stages import freeze_for
from schemas.errors import UsageError
from train import sharding, step
from train.checkpoint import load, save
from train.processes import Processes
from train.sharding import (
    Layout,
    at_rest,
    computes_in_bfloat16,
    is_sharded,
    language_model_trains,
    lay_out,
    set_types,
    whole_model,
)

CPU = torch.device("cpu")
ALONE = Processes(device=CPU)


@pytest.fixture
def group():
    """Leave the group that a model in parts has made."""
    yield
    ALONE.leave()


def made(stage="regiongpt_finetune"):
    torch.manual_seed(0)
    model = RegionGPTForConditionalGeneration(tiny_regiongpt())
    freeze_for(model, stage)
    return model


def batch():
    ids = torch.arange(3, 13)[None]
    return {
        "input_ids": ids,
        "loss_positions": torch.arange(4, 9),
        "loss_targets": ids[0, 5:10],
        "num_items_in_batch": 5,
    }


@pytest.mark.parametrize(
    ("stage", "trains"), [("regiongpt_pretrain", False), ("regiongpt_finetune", True)]
)
def test_a_model_lies_in_parts_where_its_language_model_trains_on_a_gpu(stage, trains, monkeypatch):
    model = made(stage)
    assert language_model_trains(model) == trains
    lay_out(model, Layout(processes=ALONE))
    assert not is_sharded(model)
    chosen = []
    monkeypatch.setattr(sharding, "_shard", lambda model, layout: chosen.append(layout))
    monkeypatch.setattr(RegionGPTForConditionalGeneration, "to", lambda self, *_: self)
    for asked in (None, False, True):
        layout = Layout(processes=Processes(device=torch.device("cuda")), sharded=asked)
        lay_out(model, layout)
    assert [layout.sharded for layout in chosen] == ([None, True] if trains else [True])


def test_a_copy_per_host_is_of_a_model_in_parts():
    layout = Layout(processes=ALONE, sharded=False, copy_per_host=True)
    with pytest.raises(UsageError, match=r"--copy-per-host is for models in parts: give --sharded"):
        lay_out(made("regiongpt_finetune"), layout)


def test_a_cpu_computes_in_float32():
    assert not computes_in_bfloat16("bfloat16", CPU)
    assert computes_in_bfloat16("bfloat16", torch.device("cuda"))
    assert not computes_in_bfloat16("float32", torch.device("cuda"))


def test_trained_weights_are_float32_and_frozen_ones_of_the_type_asked_for():
    model = made("regiongpt_pretrain").to(torch.float16)
    set_types(model, frozen=torch.bfloat16)
    for name, parameter in model.named_parameters():
        trained = name.startswith("connector.")
        assert parameter.dtype == (torch.float32 if trained else torch.bfloat16), name


def test_recomputed_layers_run_twice(group):
    for sharded in (False, True):
        model = made().train()
        calls: list[int] = []
        layer = model.language_model.get_decoder().layers[0]
        layer.mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        lay_out(model, Layout(processes=ALONE, sharded=sharded, recompute="all"))
        model(**batch()).loss.backward()
        assert len(calls) == 2


@pytest.mark.parametrize("stage", ["regiongpt_pretrain", "regiongpt_finetune"])
def test_parts_compute_in_bfloat16_and_are_trained_in_float32(stage, monkeypatch, group):
    """As on CUDA, which the test stands in for."""
    exact = made(stage).train()
    wanted = exact(**batch()).loss
    if stage == "regiongpt_finetune":
        wanted.backward()
    monkeypatch.setattr(sharding, "computes_in_bfloat16", lambda *_: True)
    model = made(stage).train()
    lay_out(model, Layout(processes=ALONE, precision="bfloat16", sharded=True))
    seen = []
    layer = model.language_model.get_decoder().layers[0]
    layer.mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch()).loss
    loss.backward()
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=0.02)
    for (name, parameter), twin in zip(
        at_rest(model).named_parameters(), exact.parameters(), strict=True
    ):
        assert isinstance(parameter, DTensor) != name.startswith("vision_tower."), name
        kind = torch.float32 if parameter.requires_grad else torch.bfloat16
        assert parameter.dtype == kind, name
        if parameter.requires_grad:
            assert parameter.grad.dtype == torch.float32
            if twin.grad is not None:
                error = (parameter.grad.full_tensor() - twin.grad).norm()
                assert error <= 0.05 * twin.grad.norm() + 1e-6, name


def test_a_whole_copy_is_saved_and_loaded_as_any_model(tmp_path, group):
    exact = made()
    model = made()
    lay_out(model, Layout(processes=ALONE, sharded=True))
    copied = whole_model(model, torch.bfloat16, ALONE)
    assert type(copied) is RegionGPTForConditionalGeneration
    copied.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path, dtype="auto")
    assert again.dtype == torch.bfloat16
    state = again.state_dict()
    for name, tensor in exact.state_dict().items():
        assert torch.equal(state[name], tensor.to(torch.bfloat16)), name


def test_a_forward_pass_without_gradients_leaves_a_model_that_can_be_saved(tmp_path, group):
    model = made()
    lay_out(model, Layout(processes=ALONE, sharded=True))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    model(**batch()).loss.backward()
    optimizer.step()
    with torch.no_grad():
        loss = model(**batch()).loss
    folder = save(tmp_path, 1, model, optimizer, state={}, processes=ALONE)
    other = made()
    second = torch.optim.AdamW([p for p in other.parameters() if p.requires_grad])
    load(folder, other, second, ALONE)
    with torch.no_grad():
        assert float(other(**batch()).loss) == pytest.approx(float(loss), abs=1e-6)
    head = other.language_model.lm_head.weight
    assert float(second.state[head]["step"]) == 1
    assert second.state[head]["exp_avg"].any()


def test_the_norm_of_parts_is_that_of_the_whole(group):
    norms = []
    for sharded in (False, True):
        model = made()
        lay_out(model, Layout(processes=ALONE, sharded=sharded))
        model(**batch()).loss.backward()
        parameters = [p for p in at_rest(model).parameters() if p.grad is not None]
        norms.append(float(step.clip_gradients(parameters, 0.01)))
        assert float(step.clip_gradients(parameters, 1.0)) == pytest.approx(0.01, rel=1e-3)
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
