"""Judged files: what is written is read back, faults are named by file and line."""

import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import json_lines
from schemas import judged as module
from schemas.errors import InputFileError
from schemas.judged import Judged, JudgedRun, Verdict, read_judged, write_judged

RUN = JudgedRun("dlc", "m", "0e9", 0.0, 300, False, ("judge/choice/0",), "3b" * 32, "60" * 32)
READ = Verdict(
    item="901", question=0, kind="recognition", outcome="read", reply="A", chosen=0, points=1.0
)
TEXT = st.text(st.characters(codec="utf-8"))


def lines(*changes: dict) -> bytes:
    """A judged file with one verdict for each set of changed fields."""
    verdict = {
        "item": "901",
        "question": 0,
        "kind": "recognition",
        "outcome": "read",
        "reply": "A",
        "chosen": 0,
        "points": 1,
    }
    run = {
        "bench": "dlc",
        "judge": "m",
        "revision": "",
        "temperature": 0,
        "max_tokens": 300,
        "pictures": False,
        "prompts": [],
        "questions": "3b",
        "predictions": "60",
    }
    values = [run, *(verdict | change for change in changes)]
    return "\n".join(map(json.dumps, values)).encode()


@pytest.mark.parametrize("module", [module, json_lines])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@given(st.lists(TEXT, unique=True), TEXT)
def test_what_is_written_is_read(tmp_path_factory, items, reply):
    path = tmp_path_factory.getbasetemp() / "judged.jsonl"
    verdicts = tuple(replace(READ, item=item, reply=reply) for item in items)
    write_judged(path, Judged(RUN, verdicts))
    assert read_judged(path) == Judged(RUN, verdicts)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + len(items)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": -1}, "not a verdict: Expected `int` >= 0"),
        ({"points": 2}, "not a verdict: Expected `float` <= 1.0"),
        ({"points": None}, "not a verdict: Expected `float`, got `null`"),
        ({"colour": "red"}, "not a verdict: Object contains unknown field `colour`"),
        ({"kind": "vqa"}, "not a verdict: Invalid enum value 'vqa'"),
        ({"kind": "simple"}, "not a verdict: kind 'simple' in a file of dlc, expected one of"),
        ({"chosen": None}, "not a verdict: outcome 'read' with the option None"),
        ({"outcome": "unparsed"}, "not a verdict: outcome 'unparsed' with the option 0"),
        ({"outcome": "missing", "chosen": None}, "outcome 'missing' with the reply 'A'"),
        ({"outcome": "unparsed", "chosen": None}, "outcome 'unparsed' with 1 points"),
        ({"reply": None}, "outcome 'read' with the reply None"),
        ({"item": "900"}, "question 0 about '900' again, as line 2"),
    ],
)
def test_a_fault_is_named_by_file_and_line(tmp_path, change, message):
    path = tmp_path / "judged.jsonl"
    path.write_bytes(lines({"item": "900"}, change))
    with pytest.raises(InputFileError) as caught:
        read_judged(path)
    assert f"{path}: line 3: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, expected the judging run in its first line"),
        (lines()[1:], "line 1: not a judging run"),
        (lines().replace(b'"dlc"', b'"vqa"'), "line 1: not a judging run: Invalid enum value"),
        (lines() + b"\n\xff\n", "line 2: not a verdict"),
        (lines() + b"\n{", "line 2: not a verdict"),
    ],
)
def test_a_file_that_is_none(tmp_path, content, message):
    path = tmp_path / "judged.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        read_judged(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputFileError, match=r"cannot read .*gone"):
        read_judged(tmp_path / "gone.jsonl")


def test_what_decides_a_judges_numbers_keeps_runs_apart():
    changes = {
        "bench": "gar",
        "judge": "other",
        "revision": "1",
        "temperature": 0.5,
        "max_tokens": 10,
        "pictures": True,
        "prompts": (),
        "questions": "7a",
        "extra_body": {"top_k": 20},
    }
    assert {*changes, "predictions"} == {*JudgedRun.__struct_fields__}
    for name, value in changes.items():
        (line,) = RUN.differences(replace(RUN, **{name: value}))
        assert line.startswith(name)
    assert RUN.differences(replace(RUN, predictions="another model's")) == []
