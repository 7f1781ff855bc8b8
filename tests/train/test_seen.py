"""What is seen of a run: the log, its line of progress, and the trackers."""

import json
import sys
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from schemas.errors import InputFileError, RegionForgeError, UsageError
from train.loop import Done
from train.seen import Seen, cut_log, logged, measures_of, open_trackers, progress_line
from train.step import StepResult


def done(step, loss=1.5):
    result = StepResult(
        loss=loss, gradient_norm=0.5, supervised=40, tokens=600, rows=4, dropped_turns=1,
        rejected=2,
    )  # fmt: skip
    return Done(step=step, epoch=1, rate=0.1, ids=(), result=result, seconds=2.0, waited=0.5)


@pytest.mark.parametrize(
    "line", ["x}", "[1, {}", "{}", '{"step": "a", "loss": 1}', '{"step": 0}', '{"a":' * 9_999 + "}"]
)
def test_a_line_of_no_log_is_named(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"step": 0, "loss": 1.0}}\n{line}\n{{"step', encoding="utf-8")
    with pytest.raises(InputFileError, match=r"log.jsonl: line 2: not of a run's log: remove the"):
        logged(tmp_path)


def test_measures_are_of_the_whole_step():
    measures = measures_of(done(3))
    assert measures.pop("memory") > 2**20
    assert measures == {
        "step": 3, "epoch": 1, "loss": 1.5, "learning_rate": 0.1, "tokens_per_second": 300.0,
        "samples_per_second": 2.0, "data_wait": 0.25, "gradient_norm": 0.5, "supervised": 40,
        "tokens": 600, "rows": 4, "dropped_turns": 1, "rejected": 2,
    }  # fmt: skip


def test_the_line_of_progress():
    line = progress_line({**measures_of(done(11)), "memory": 3 * 2**29}, 1400)
    assert line == (
        "step 12/1,400  loss 1.500  300 tokens/s  2.0 samples/s  data wait 25 %  1.5 GiB"
    )


def test_without_a_terminal_the_first_and_the_last_step_have_a_line(tmp_path, capsys):
    with Seen(tmp_path, 3, []) as seen:
        for step in range(3):
            seen.add(measures_of(done(step)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "3/3"]
    assert [line["step"] for line in logged(tmp_path)] == [0, 1, 2]


def test_the_log_is_cut_to_the_steps_that_are_done(tmp_path):
    assert logged(tmp_path) == []
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in range(5)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines)[:-9], encoding="utf-8")  # by a crash
    assert [line["step"] for line in logged(tmp_path)] == [0, 1, 2, 3]
    cut_log(tmp_path, 2)
    assert [line["step"] for line in logged(tmp_path)] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with (
        Seen(tmp_path, 3, []) as seen,
        pytest.raises(RegionForgeError, match=r"log\.jsonl: .* No space left on device"),
    ):
        seen.add(measures_of(done(0)))


def test_tensorboard_has_every_measure(tmp_path):
    (board,) = open_trackers(tmp_path, None, {})
    with Seen(tmp_path, 2, [board]) as seen:
        seen.add(measures_of(done(0, loss=2.5)))
        seen.add({**measures_of(done(1)), "validation_loss": 3.0})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(0, 2.5), (1, 1.5)]
    assert [event.step for event in events.Scalars("validation_loss")] == [1]
    assert {*measures_of(done(1))} - {*events.Tags()["scalars"]} == {"step"}


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_other_trackers_get_the_settings_and_every_step(name, tmp_path, monkeypatch):
    calls = []
    library = SimpleNamespace(
        init=lambda **given: calls.append(given),
        log=lambda measures, step: calls.append((step, measures["loss"])),
        finish=lambda: calls.append("finished"),
    )
    monkeypatch.setitem(sys.modules, name, library)
    _, tracker = open_trackers(tmp_path / "mine", name, {"seed": 3})
    with Seen(tmp_path, 1, [tracker]) as seen:
        seen.add(measures_of(done(0)))
    start = {"project": "regionforge", "name": "mine", "config": {"seed": 3}}
    assert calls == [start, (0, 1.5), "finished"]


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(UsageError, match="--track trackio needs: pip install trackio"):
        open_trackers(tmp_path, "trackio", {})
