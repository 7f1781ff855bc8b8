"""Predictions: what is written is read back, faults are named by file and line."""

import doctest
import json
import math
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import predictions as module
from schemas.errors import InputFileError
from schemas.predictions import (
    Matched,
    Prediction,
    Run,
    match_predictions,
    read_predictions,
    read_run,
    to_line,
    write_predictions,
    write_run,
)
from schemas.sample import Evaluation

LINE = b'{"id":"a","turn":0,"position":0,"answer":"Yes","score":0.5,"choice_loglik":[-1.0,-2.0]}\n'
YES = Prediction("a", 0, 0, "Yes", 0.5, (-1.0, -2.0))
RUN = Run("eval_pope", "ab" * 32, "runs/a", {"max_new_tokens": 8, "stop": ["###"]}, "mask")

FINITE = st.floats(allow_nan=False, allow_infinity=False)
INDICES = st.integers(0, 2**31 - 1)
BREAKS = "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"  # what `splitlines` takes for ends of lines
TEXT = st.text(st.characters(codec="utf-8"))
PREDICTIONS = st.builds(
    Prediction,
    TEXT,
    INDICES,
    INDICES,
    TEXT,
    st.none() | st.floats(0, 1),
    st.none() | st.lists(FINITE).map(tuple),
)


@dataclass(frozen=True)
class Asked:
    turn: int
    position: int
    choices: tuple[str, ...] = ()


def test_examples():
    assert doctest.testmod(module).failed == 0


@given(st.lists(PREDICTIONS, unique_by=lambda prediction: prediction.key))
def test_what_is_written_is_read(tmp_path_factory, predictions):
    path = tmp_path_factory.getbasetemp() / "predictions.jsonl"
    write_predictions(path, predictions)
    assert read_predictions(path) == predictions


@example(Prediction(BREAKS, 0, 0, BREAKS))
@given(PREDICTIONS)
def test_a_prediction_is_one_line_to_every_reader(prediction):
    line = to_line(prediction)
    (text,) = line.decode().splitlines()
    fields = json.loads(text)
    assert list(fields) == ["id", "turn", "position", "answer", "score", "choice_loglik"]
    assert fields["answer"] == prediction.answer


def test_fields_that_may_be_left_out(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"answer": "Yes", "position": 0, "turn": 0, "id": "a"}')
    assert read_predictions(path) == [Prediction("a", 0, 0, "Yes", None, None)]


def test_a_file_without_a_line(tmp_path):
    path = tmp_path / "new" / "p.jsonl"
    write_predictions(path, [])
    assert (path.read_bytes(), read_predictions(path)) == (b"", [])


FAULTS = {
    "no JSON": (b"yes\n", "line 2: not a prediction: JSON is malformed"),
    "cut": (LINE[:-30], "line 2: not a prediction: Input data was truncated"),
    "an empty line": (b"\n" + LINE, "line 2: not a prediction: Input data was truncated"),
    "two in a line": (LINE.replace(b'"a"', b'"b"')[:-1] * 2, "trailing characters"),
    "an unknown field": (LINE.replace(b"score", b"scores"), "unknown field `scores`"),
    "a missing field": (LINE.replace(b'"turn":0,', b""), "missing required field `turn`"),
    "a turn below 0": (LINE.replace(b'"turn":0', b'"turn":-1'), r"`int` >= 0 - at `\$.turn`"),
    "a score above 1": (LINE.replace(b"0.5", b"1.5"), r"`float` <= 1.0 - at `\$.score`"),
    "no number": (LINE.replace(b"0.5", b"NaN"), "line 2: not a prediction: JSON is malformed"),
    "an infinite number": (LINE.replace(b"-2.0", b"-1e999"), "Number out of range"),
    "bytes that are no text": (LINE.replace(b"Yes", b"\xff"), "line 2: not a prediction: 'utf-8'"),
    "half of a pair": (LINE.replace(b"Yes", b"\\ud800"), "line 2: not a prediction"),
    "nested": (LINE.replace(b'"Yes"', b"[" * 100_000), "Expected `str`, got `array`"),
    "answered before": (
        LINE.replace(b"Yes", b"No").replace(b'"a"', b'"first"'),
        "line 2: answers 'first' turn 0 position 0 again, as line 1",
    ),
}


@pytest.mark.parametrize("start", [b"\n", b"\xef\xbb\xbf"])
def test_nothing_stands_before_the_first_line(tmp_path, start):
    path = tmp_path / "p.jsonl"
    path.write_bytes(start + LINE)
    with pytest.raises(InputFileError, match=r"p\.jsonl: line 1: not a prediction"):
        read_predictions(path)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_file_and_line(tmp_path, name):
    line, message = FAULTS[name]
    path = tmp_path / "p.jsonl"
    path.write_bytes(LINE.replace(b'"a"', b'"first"') + line)
    with pytest.raises(InputFileError, match=message) as refused:
        read_predictions(path)
    assert str(refused.value).startswith(f"{path}: line 2: ")


def test_a_file_that_is_not_there(tmp_path):
    for read in (read_predictions, read_run):
        with pytest.raises(InputFileError, match=f"cannot read {tmp_path}/nothing"):
            read(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        ([YES, YES], "'a' turn 0 position 0 is answered twice"),
        ([YES, Prediction("b", 0, 0, "", math.nan)], "'b' turn 0 position 0: expected finite"),
        ([YES, Prediction("b", 0, 0, "", None, (-math.inf,))], "expected finite numbers"),
        ([YES, Prediction("b", 0, 0, "\ud800")], "surrogates not allowed"),
    ],
)
def test_nothing_faulty_is_written(tmp_path, faulty, message):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=message):
        write_predictions(path, faulty)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("p.jsonl", b"before")
    ]


def test_entries_and_predictions_are_matched():
    entries = [("a", Asked(1, 0)), ("a", Asked(0, 0, ("Yes", "No"))), ("b", Asked(0, 2))]
    second = Prediction("b", 0, 2, "left")
    matched = match_predictions(entries, [second, YES])
    assert matched == Matched((None, YES, second), (("a", 1, 0),))
    assert matched.summary() == "1 of 3 entries have no prediction: 'a' turn 1 position 0"
    assert match_predictions(entries[1:], [second, YES]).summary() == ""


def test_entries_of_records_are_matched():
    evaluation = Evaluation(turn=0, position=0, item_id="7", group="g", choices=("Yes", "No"))
    assert match_predictions([("a", evaluation)], [YES]) == Matched((YES,), ())


def test_the_first_missing_entries_are_named():
    matched = match_predictions([("a", Asked(0, position)) for position in range(7)], [])
    assert matched.predictions == (None,) * 7
    assert matched.summary().startswith("7 of 7 entries have no prediction: 'a' turn 0 position 0,")
    assert matched.summary().endswith("'a' turn 0 position 4, ...")


@given(st.lists(PREDICTIONS, unique_by=lambda prediction: prediction.key), st.data())
def test_any_order_matches(predictions, data):
    entries = [
        (answer.id, Asked(answer.turn, answer.position, ("",) * len(answer.choice_loglik or ())))
        for answer in predictions
    ]
    shuffled = data.draw(st.permutations(predictions))
    assert match_predictions(entries, shuffled) == Matched(tuple(predictions), ())


TWO = ("Yes", "No")
MISMATCHES = {
    "unknown": (
        [("b", Asked(0, 0, TWO))],
        [YES],
        "1 of 1 predictions answer no entry of this build",
    ),
    "another turn": ([("a", Asked(1, 0, TWO))], [YES], "first 'a' turn 0 position 0"),
    "answered twice": ([("a", Asked(0, 0, TWO))], [YES, YES], "answered twice, expected once"),
    "asked twice": ([("a", Asked(0, 0, TWO))] * 2, [YES], "asks for 'a' turn 0 position 0 twice"),
    "another number of choices": (
        [("a", Asked(0, 0, (*TWO, "perhaps")))],
        [YES],
        "'a' turn 0 position 0: choice_loglik has 2 numbers, expected one for each of 3 choices",
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_what_does_not_match_is_an_error(name):
    entries, predictions, message = MISMATCHES[name]
    with pytest.raises(InputFileError, match=message):
        match_predictions(entries, predictions)


def test_a_run_is_read_as_written(tmp_path):
    write_run(tmp_path / "run.json", RUN)
    assert read_run(tmp_path / "run.json") == RUN
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["regions"] == "mask"


def test_settings_that_nest_too_deep_are_refused(tmp_path):
    path = tmp_path / "run.json"
    write_run(path, RUN)
    path.write_bytes(path.read_bytes().replace(b" 8", b"[" * 100_000))
    with pytest.raises(InputFileError, match="not the run of predictions: JSON is nested too deep"):
        read_run(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regions": "point"}, r"Invalid enum value 'point' - at `\$.regions`"),
        ({"recipe": "regiongpt_pretrain"}, "unknown field `recipe`"),  # the run of a training
        ({"generation": None}, "Expected `object`, got `null`"),
    ],
)
def test_another_run_is_refused(tmp_path, change, message):
    path = tmp_path / "run.json"
    write_run(path, RUN)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), encoding="utf-8")
    with pytest.raises(InputFileError, match=message) as refused:
        read_run(path)
    assert str(refused.value).startswith(f"{path}: not the run of predictions: ")
