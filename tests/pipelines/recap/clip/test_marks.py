"""Marks of people become a threshold: the one that agrees best with them."""

import json
from collections.abc import Sequence

import pytest

from pipelines.recap.clip.calibrate import load_calibration
from pipelines.recap.clip.files import write_calibration
from pipelines.recap.clip.marks import Mark, Marks, calibrate_by_marks, load_marks
from schemas.errors import UsageError


def marks(good: Sequence[float | None], bad: Sequence[float | None]) -> Marks:
    every = [Mark(f"a{number}", "1", "good", clip) for number, clip in enumerate(good)]
    every += [Mark(f"b{number}", "1", "bad", clip) for number, clip in enumerate(bad)]
    return Marks("1", "scorer", every)


@pytest.fixture
def saved(tmp_path):
    """Writes a file as a page of a report saves it; returns its path."""

    def write(name: str, *captions: tuple[str, str, float | None], **changes: object) -> str:
        content = {
            "marks_version": "1",
            "output": "/recapd",
            "scorer": "scorer",
            "marks": [
                {"id": key, "region": "7", "mark": mark, "clip": clip, "outcome": "kept"}
                for key, mark, clip in captions
            ],
        }
        path = tmp_path / name
        path.write_text(json.dumps(content | changes), encoding="utf-8")
        return str(path)

    return write


def test_the_threshold_lies_between_good_and_bad():
    run = calibrate_by_marks(marks([0.30, 0.35, 0.40, 0.45, 0.5], [0.1, 0.12, 0.14, 0.16, 0.2]))
    assert run.calibration.threshold == pytest.approx(0.25)
    assert (run.calibration.false_accept, run.calibration.false_reject) == (0, 0)
    assert run.calibration.roc_area == 1
    assert run.calibration.marks
    assert (run.calibration.marks.good, run.calibration.marks.bad, run.calibration.pairs) == (
        5,
        5,
        10,
    )


def test_it_moves_with_the_marks():
    clips = [number / 100 for number in range(100)]
    thresholds = [
        calibrate_by_marks(marks(clips[cut:], clips[:cut])).calibration.threshold
        for cut in (20, 50, 80)
    ]
    assert thresholds == pytest.approx([0.195, 0.495, 0.795])


def test_a_share_of_bad_captions_may_pass():
    good = [0.2, 0.3, 0.4, 0.5, 0.6]
    bad = [0.1, 0.15, 0.25, 0.35, 0.45]
    strict = calibrate_by_marks(marks(good, bad), false_accept=0.0).calibration
    assert strict.threshold == pytest.approx(0.475)
    assert strict.false_reject == pytest.approx(3 / 5)
    lenient = calibrate_by_marks(marks(good, bad), false_accept=0.4).calibration
    assert 0.25 < lenient.threshold < 0.35


def test_captions_without_a_score_do_not_count():
    with pytest.raises(UsageError, match="4 captions with a score are good and 5 bad, expected 5"):
        calibrate_by_marks(marks([0.3, 0.4, 0.5, 0.6, None], [0.1] * 5))


def test_of_several_marks_of_a_caption_the_last_one_counts(saved):
    first = saved("a.json", ("1", "good", 0.5), ("2", "bad", 0.1))
    second = saved("b.json", ("1", "bad", 0.5), ("3", "good", 0.6))
    loaded = load_marks([first, second])
    assert sorted((mark.id, mark.mark) for mark in loaded.marks) == [
        ("1", "bad"), ("2", "bad"), ("3", "good")
    ]  # fmt: skip


def test_marks_of_different_scorers_are_refused(saved):
    paths = [saved("a.json", ("1", "good", 0.5)), saved("b.json", scorer="another")]
    with pytest.raises(UsageError, match="cannot be compared: scorer, another"):
        load_marks(paths)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"marks_version": "2"}, "Invalid enum value '2'"),
        ({"marks": [{"id": "1", "region": "", "mark": "fair", "clip": 0.1}]}, "fair"),
        ({"scorer": None}, "expected what a page of `regionforge report` saves"),
    ],
)
def test_another_file_is_refused_in_a_line(saved, changes, message):
    with pytest.raises(UsageError, match=message):
        load_marks([saved("a.json", **changes)])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError) as ended:
        load_marks([str(tmp_path / "none.json")])
    reason = "No such file or directory"
    assert str(ended.value) == f"--marks: cannot read {tmp_path}/none.json: {reason}"


def test_the_file_of_the_calibration_is_read_back(tmp_path):
    run = calibrate_by_marks(marks([0.30, 0.35, 0.40, 0.45, 0.5], [0.1, 0.12, 0.14, 0.16, 0.2]))
    write_calibration(run, str(tmp_path / "calibration.json"))
    assert load_calibration(str(tmp_path / "calibration.json")) == run.calibration
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
