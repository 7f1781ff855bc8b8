"""Checkpoints: a run that goes on is bit-equal, and what is not whole or not ours is refused."""

import errno
import json
import shutil

import pytest
import torch
from safetensors import safe_open
from torch import nn

from train.checkpoint import (
    CheckpointError,
    checkpoint_path,
    checkpoints,
    keep_last,
    load,
    read_state,
    save,
)
from train.processes import Processes

ALONE = Processes(device=torch.device("cpu"))


def made(width=5):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, width), nn.Dropout(0.5), nn.Linear(width, 3))
    model[0].requires_grad_(False)
    return model, torch.optim.AdamW(model[2].parameters(), lr=0.1)


def stepped(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()  # dropout draws from the random state
        optimizer.step()


def loaded(folder, width=5):
    model, optimizer = made(width)
    before = [parameter.clone() for parameter in model.parameters()]
    try:
        return load(folder, model, optimizer, ALONE)
    except CheckpointError:
        assert all(map(torch.equal, before, model.parameters()))  # nothing is half loaded
        raise


@pytest.fixture
def written(tmp_path):
    model, optimizer = made()
    stepped(model, optimizer, 3)
    state = {"epoch": 1, "run": "a"}
    return save(tmp_path / "run", 3, model, optimizer, state=state, processes=ALONE)


def test_a_run_that_goes_on_is_bit_equal(written):
    model, optimizer = made()
    stepped(model, optimizer, 7)
    other, second = made()
    state = load(written, other, second, ALONE)
    assert (state["steps"], state["epoch"], state["run"]) == (3, 1, "a")
    stepped(other, second, 4)
    assert all(map(torch.equal, model.state_dict().values(), other.state_dict().values()))
    for parameter, twin in zip(model[2].parameters(), other[2].parameters(), strict=True):
        for kind, tensor in optimizer.state[parameter].items():
            assert torch.equal(tensor, second.state[twin][kind]), kind


def test_only_what_trains_is_written_and_nothing_is_a_pickle(written):
    files = sorted(path for path in written.rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    names = set()
    for path in files:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as tensors:
                names |= set(tensors.keys())
    moments = {f"2.{p}/{k}" for p in ("weight", "bias") for k in ("step", "exp_avg", "exp_avg_sq")}
    assert names == {"2.weight", "2.bias"} | moments


def test_a_checkpoint_before_the_first_step_can_be_read(tmp_path):
    model, optimizer = made()
    folder = save(tmp_path, 0, model, optimizer, state={}, processes=ALONE)
    other, second = made()
    load(folder, other, second, ALONE)
    stepped(model, optimizer, 2)
    (state,) = read_state(folder)["random"]["cpu"]
    torch.set_rng_state(torch.tensor(state, dtype=torch.uint8))
    stepped(other, second, 2)
    assert torch.equal(model[2].weight, other[2].weight)


def test_only_the_last_are_kept_and_nothing_unfinished(tmp_path):
    model, optimizer = made()
    for steps in (1, 20, 300):
        save(tmp_path, steps, model, optimizer, state={}, processes=ALONE)
    (tmp_path / "checkpoints" / ".tmp-step-00000400").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-00000001", "step-00000020", "step-00000300",
    ]  # fmt: skip
    keep_last(tmp_path, 2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-00000020", "step-00000300",
    ]  # fmt: skip


@pytest.mark.parametrize("fails", ["safetensors", "state", "rename"])
def test_a_full_disk_leaves_nothing_under_the_final_name(written, tmp_path, monkeypatch, fails):
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_, **__):
        raise full

    target = {
        "safetensors": "torch.distributed.checkpoint.filesystem.os.fsync",
        "state": "train.checkpoint.json.dumps",
        "rename": "pathlib.Path.rename",
    }[fails]
    model, optimizer = made()
    with monkeypatch.context() as patch:
        patch.setattr(target, refuse)
        with pytest.raises(CheckpointError, match="step-00000004: No space left on device"):
            save(tmp_path / "run", 4, model, optimizer, state={}, processes=ALONE)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [written.name]


def test_a_checkpoint_of_the_same_step_is_replaced(written, tmp_path):
    model, optimizer = made()
    again = save(tmp_path / "run", 3, model, optimizer, state={"run": "b"}, processes=ALONE)
    assert again == written == checkpoint_path(tmp_path / "run", 3)
    assert read_state(written)["run"] == "b"


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path, written):
    with pytest.raises(CheckpointError, match=r"state\.json: No such file"):
        loaded(tmp_path)
    (written / "state.json").write_text("[]", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not the state of a checkpoint"):
        loaded(written)


def test_another_format_is_refused(written):
    state = json.loads((written / "state.json").read_bytes())
    (written / "state.json").write_text(json.dumps({**state, "format": 9}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="has format 9, expected 2"):
        loaded(written)


def test_a_pickle_in_the_folder_is_refused(written):
    torch.save({}, written / "weights" / "x.pt")
    with pytest.raises(CheckpointError, match=r"x\.pt: a checkpoint holds safetensors and JSON"):
        loaded(written)


def test_a_checkpoint_of_another_stage_or_model_is_refused(written):
    model, _ = made()
    model.requires_grad_(True)
    whole = torch.optim.AdamW(model.parameters())
    with pytest.raises(CheckpointError, match=r"weights lacks 2 tensors, the first '0\.bias'"):
        load(written, model, whole, ALONE)
    with pytest.raises(
        CheckpointError, match=r"2\.weight. has the shape \[3, 5\], expected \[3, 6\]"
    ):
        loaded(written, width=6)


def test_a_missing_part_is_named(written):
    shutil.rmtree(written / "optimizer")
    with pytest.raises(CheckpointError, match="step-00000003: No such file"):
        loaded(written)


def test_the_random_state_of_a_gpu_is_kept_too(tmp_path, monkeypatch):
    """A test stands in for CUDA: the device's name, and the place of its random state."""
    states = {"cuda:1": torch.tensor([7, 0, 255, 3], dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[str(device)])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: states.update({str(device): state})
    )
    on_gpu = Processes(device=torch.device("cuda:1"))
    model, optimizer = made()
    folder = save(tmp_path, 1, model, optimizer, state={}, processes=on_gpu)
    assert read_state(folder)["random"]["cuda"] == [[7, 0, 255, 3]]
    kept = states.pop("cuda:1")
    load(folder, model, optimizer, on_gpu)
    assert torch.equal(states["cuda:1"], kept)
    states.clear()
    load(folder, model, optimizer, ALONE)  # a run that goes on without a GPU
    assert not states
