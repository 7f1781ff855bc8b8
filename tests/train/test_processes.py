"""Runs on one and on two processes, whole and in parts: the same losses, norms and weights."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed

from tests.train.several import FAILURES, SAVED, Run, odd_model, perform, perform_on_two
from train.checkpoint import checkpoint_path, load
from train.processes import Processes

ALONE = Processes(device=torch.device("cpu"))
FIRST = [
    Run(name="alone", saves=True),
    Run(name="alone_sharded", sharded=True),
    Run(name="gpt4roi", stage="gpt4roi_stage2"),
    Run(name="mixed", mixed=True),
    Run(name="mixed_first", stage="gpt4roi_stage1", mixed=True),
    Run(name="mixed_gpt4roi", stage="gpt4roi_stage2", mixed=True),
]
ON_TWO = [
    Run(name="two", saves=True),
    Run(name="two_sharded", sharded=True, saves=True),
    Run(name="two_hosts", sharded=True, hosts=2, saves=True),
    Run(name="two_recomputed", sharded=True, recompute="all"),
    Run(name="two_recomputed_in_part", sharded=True, recompute="some"),
    Run(name="two_gpt4roi", stage="gpt4roi_stage2", sharded=True),
    Run(name="two_mixed", mixed=True),
    Run(name="two_mixed_sharded", mixed=True, sharded=True),
    Run(name="two_mixed_first", stage="gpt4roi_stage1", mixed=True),
    Run(name="two_mixed_first_sharded", stage="gpt4roi_stage1", mixed=True, sharded=True),
    Run(name="two_mixed_gpt4roi", stage="gpt4roi_stage2", mixed=True, sharded=True),
    Run(name="one_to_two", goes_on="alone"),
    Run(name="one_to_two_sharded", goes_on="alone", sharded=True),
    Run(name="whole_to_parts", goes_on="two", sharded=True),
]
LAST = [
    Run(name="two_to_one", goes_on="two"),
    Run(name="two_sharded_to_one", goes_on="two_sharded"),
    Run(name="two_hosts_to_one", goes_on="two_hosts"),
    Run(name="two_sharded_to_one_sharded", goes_on="two_sharded", sharded=True),
    Run(name="one_recomputed", recompute="all"),
]


@pytest.fixture(scope="module")
def work(proof_shards, tokenizer, made_once):
    """The folder in which all runs have written what came of them."""

    def make(folder):
        tokenizer.save_pretrained(folder / "tokenizer")
        for run in FIRST:
            perform(run, proof_shards, folder, ALONE)
        perform_on_two(ON_TWO, proof_shards, folder)
        for run in LAST:
            perform(run, proof_shards, folder, ALONE)

    yield made_once("several", make)
    ALONE.leave()
    assert not distributed.is_initialized()


def assert_same(work, first, second, steps=slice(None)):
    """Check that a run did the steps of another: losses, norms and weights."""
    ours, theirs = (json.loads((work / n / "losses.json").read_bytes()) for n in (second, first))
    assert len(ours) == len(theirs[steps]) > 0
    for (loss, norm), (expected, expected_norm) in zip(ours, theirs[steps], strict=True):
        assert loss == pytest.approx(expected, abs=1e-5)
        assert norm == pytest.approx(expected_norm, rel=1e-5)
    weights, expected = (load_file(work / n / "model.safetensors") for n in (second, first))
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        assert torch.allclose(tensor, expected[name], rtol=0, atol=1e-5), (
            name,
            float((tensor - expected[name]).abs().max()),
        )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("alone", "alone_sharded"),
        ("alone", "one_recomputed"),
        ("alone", "two"),
        ("alone", "two_sharded"),
        ("alone", "two_hosts"),
        ("alone", "two_recomputed"),
        ("alone", "two_recomputed_in_part"),
        ("gpt4roi", "two_gpt4roi"),
        ("mixed", "two_mixed"),
        ("mixed", "two_mixed_sharded"),
        ("mixed_first", "two_mixed_first"),
        ("mixed_first", "two_mixed_first_sharded"),
        ("mixed_gpt4roi", "two_mixed_gpt4roi"),
    ],
)
def test_any_number_of_processes_whole_or_in_parts_trains_the_same(work, first, second):
    assert_same(work, first, second)


@pytest.mark.parametrize(
    "name",
    [
        "one_to_two",
        "one_to_two_sharded",
        "whole_to_parts",
        "two_to_one",
        "two_sharded_to_one",
        "two_hosts_to_one",
        "two_sharded_to_one_sharded",
    ],
)
def test_a_run_goes_on_with_other_processes(work, name):
    assert_same(work, "alone", name, slice(SAVED, None))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("alone", 1.0),
        ("alone_sharded", 1.0),
        ("two", 1.0),
        ("two_hosts", 1.0),
        ("two_sharded", 0.5),
    ],
)
def test_a_process_holds_its_part_of_the_weights(work, name, share):
    held = json.loads((work / name / "held.json").read_bytes())
    assert held == pytest.approx(share, abs=0.01)


def test_each_process_writes_its_part_and_nothing_is_a_pickle(work):
    folder = checkpoint_path(work / "two_sharded" / "run", SAVED)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    sizes = [path.stat().st_size for path in (folder / "optimizer").iterdir()]
    assert len(sizes) == 2
    assert min(sizes) > 0.9 * max(sizes)


def test_tensors_that_cannot_be_halved_are_kept_whole(work):
    model, optimizer = odd_model()
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    other, second = odd_model()
    load(checkpoint_path(work / "odd", 1), other, second, ALONE)
    for parameter, twin in zip(model.parameters(), other.parameters(), strict=True):
        # Two processes with the same rows: the mean of their gradients is that of one.
        assert torch.allclose(parameter, twin, rtol=0, atol=1e-6)
        for kind, tensor in optimizer.state[parameter].items():
            assert torch.allclose(tensor, second.state[twin][kind], rtol=1e-5, atol=0), kind


def test_where_one_process_cannot_write_all_fail_and_nothing_is_left(work):
    for rank in range(2):
        lines = (work / f"failed-{rank}.txt").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(FAILURES)
        for line, (fails, failing) in zip(lines, FAILURES, strict=True):
            assert line.startswith("cannot write the checkpoint"), fails
            if rank == failing:
                assert "No space left on device" in line
    assert not list((work / "full" / "checkpoints").iterdir())
