"""`regionforge train-bench` on tiny models: its lines, and what is wrong with a command."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from train.bench import clock, command, measure
from train.bench.clock import Clock, Enough
from train.bench.mix import MIX
from train.bench.plan import PAPERS, Setting, Subject, in_order
from train.cli import run

FIGURES = {
    "rows_a_second", "tokens_a_second", "model_teraflops_a_second", "peak_memory_gib",
    "waiting_for_rows", "milliseconds_a_row", "padding", "steps",
}  # fmt: skip


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "STEPS", 2)
    monkeypatch.setattr(measure, "STEPS", 2)
    monkeypatch.setattr("train.bench.plain.STEPS", 2)
    monkeypatch.setattr("train.bench.mix.ROWS", 200)  # of which some are read
    short = [replace(kind, words=40, answers=28) for kind in MIX["regiongpt_finetune"]]
    monkeypatch.setitem(MIX, "regiongpt_finetune", tuple(short))
    given = ["train-bench", "--output", str(tmp_path / "speed.jsonl"), "--device", "cpu"]
    return [*given, "--recipe", "tiny_regiongpt_stage2", "--model", "tiny_regiongpt",
            "--micro-batch", "2", "--workers", "0"]  # fmt: skip


def lines(folder):
    return [json.loads(line) for line in (folder / "speed.jsonl").read_text().splitlines()]


def test_both_ways_are_measured_and_compared(words, tmp_path, capsys):
    assert run(words) == 0
    ours, plain = lines(tmp_path)
    assert (ours["way"], plain["way"]) == ("ours", "plain")
    for result in (ours, plain):
        assert result.keys() >= FIGURES
        assert result["steps"] == 2
        assert result["rows"] == 16
        assert result["rows_a_second"] == pytest.approx(16 / result["seconds"], rel=0.01)
    assert ours["padding"] == 0
    assert 0 < plain["padding"] < 0.9
    assert ours["tokens_a_row"] == plain["tokens_a_row"]  # the same rows
    ratio = ours["rows_a_second"] / plain["rows_a_second"]
    assert plain["ours_is_faster_by"] == pytest.approx(ratio, rel=0.01)
    assert "mfu" not in ours  # no rate of a CPU is known
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert "times as fast" in shown[1]


def test_rows_of_a_build_are_measured(words, proof_shards, tmp_path):
    assert run([*words, "--shards", str(proof_shards)]) == 0
    assert [result["rows_from"] for result in lines(tmp_path)] == ["shards", "shards"]


def test_what_has_no_time_left_is_left_out(words, tmp_path, monkeypatch):
    minutes = iter([0.0, *[61.0] * 99])
    monkeypatch.setattr(command, "perf_counter", lambda: next(minutes))
    assert run([*words, "--minutes", "1"]) == 0
    assert [result["left_out"] for result in lines(tmp_path)] == ["no time was left"] * 2


def test_a_result_is_there_before_the_next_is_measured(words, tmp_path, monkeypatch):
    seen = []

    def measured(subject, way, deadline):
        seen.append(len(lines(tmp_path)))
        return {"model": subject.preset, "recipe": subject.recipe.name, "way": way, "error": "x"}

    monkeypatch.setattr(command, "measure", measured)
    assert run(words) == 1
    assert seen == [0, 1]
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "regiongpt_fine"], "did you mean regiongpt_finetune"),
        (["--recipe", "tiny_gpt4roi_stage1"], "trains a gpt4roi model"),
        (["--image-root", "x"], "--image-root goes with --shards"),
        (["--shards", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_command_is_a_line(words, flags, message, tmp_path, capsys):
    assert run([*words, *flags]) in (1, 2)
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert message in shown
    assert not (tmp_path / "speed.jsonl").exists()


def test_a_file_that_is_there_stays(words, tmp_path):
    (tmp_path / "speed.jsonl").write_text("mine")
    assert run(words) == 2
    assert (tmp_path / "speed.jsonl").read_text() == "mine"


def test_of_each_model_our_way_comes_first():
    setting = Setting(
        device=SimpleNamespace(type="cpu"), workers=0, recompute=None, compiled=None,
        micro_batch=None,
    )  # fmt: skip
    subjects = [Subject.of(name, None, setting) for name in PAPERS]
    order = [(subject.preset, way) for subject, way in in_order(subjects)]
    assert order == [(preset, way) for preset in ("regiongpt_7b", "gpt4roi_7b")
                     for way in ("ours", "ours", "plain", "plain")]  # fmt: skip


def test_a_clock_leaves_out_the_steps_that_warm_up():
    timer = Clock(SimpleNamespace(type="cpu"), deadline=0.0)
    for name in ("first", "second"):
        timer.after([name], computed=5, waited=1.0)
    with pytest.raises(Enough):  # its time is over, and one step is measured
        timer.after(["third"], computed=7, waited=0.25)
    assert (timer.ids, timer.computed, timer.waited, timer.steps) == (["third"], 7, 0.25, 1)
    assert timer.seconds > 0
