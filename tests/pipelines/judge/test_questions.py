"""Files of questions: the owners' real ones, and what is wrong with others, named by file."""

import json
from collections import Counter

import pytest

from pipelines.judge.questions import read_questions
from schemas.errors import InputFileError


def test_a_real_file_of_dlc_bench(samples):
    folder = samples / "benchmarks" / "dlc_bench"
    questions = read_questions("dlc", [str(folder / "qa.json")])
    plain = json.loads((folder / "qa.json").read_text(encoding="utf-8"))
    names = json.loads((folder / "class_names.json").read_text(encoding="utf-8"))
    assert questions.items == list(plain)
    assert Counter(each.kind for each in questions.asked) == {
        "recognition": 3,
        **Counter(record["type"] for group in plain.values() for record in group),
    }
    by_key = {(each.item, each.number): each for each in questions.asked}
    for item, group in plain.items():
        assert by_key[item, 0].prompt("A caption.").endswith(f"Kind: {names[item]}\nA. Yes\nB. No")
        for number, record in enumerate(group, start=1):
            question = by_key[item, number]
            prompt = question.prompt("A caption.")
            for position, (text, points) in enumerate(record["choices"]):
                line = f"{'ABCD'[position]}. {text}"
                assert line in prompt.splitlines()
                # The form of all but 3 of 5,952 replies in the owners' six runs.
                assert question.choose(line, question.options) == position
                assert question.points[position] == points


def test_real_files_of_gar_bench(samples):
    folder = samples / "benchmarks" / "gar_bench"
    paths = [str(folder / f"GAR-Bench-Caption-{name}.json") for name in ("Simple", "Detailed")]
    questions = read_questions("gar", paths)
    assert [(each.item, each.kind) for each in questions.asked] == [
        ("caption_simple_64", "simple"),
        ("caption_simple_96", "simple"),
        ("caption_detailed_45", "detailed"),
        ("caption_detailed_74", "detailed"),
    ]
    prompt = questions.asked[0].prompt("<Prompt1> is on <Prompt0>.")
    assert "<Prompt1> is sitting on <Prompt0>." in prompt
    assert "<Prompt1> is on <Prompt0>." in prompt
    assert "looking at" in questions.asked[2].prompt("A person.")
    assert read_questions("gar", paths[::-1]).digest == questions.digest
    assert read_questions("gar", paths[:1]).digest != questions.digest


def test_the_questions_with_choices_need_no_judge(samples):
    path = samples / "benchmarks" / "gar_bench" / "GAR-Bench-VQA.json"
    with pytest.raises(InputFileError, match="record 0: a question with choices needs no judge"):
        read_questions("gar", [str(path)])


def test_a_caption_that_looks_like_a_hole_of_the_prompt(dlc):
    (recognition, *_) = read_questions("dlc", list(map(str, dlc(_1="").questions))).asked
    assert "Description:\n{question} {name} \\1\n" in recognition.prompt("{question} {name} \\1")


GOOD = [["One.", 0], ["Two.", 1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not questions of this benchmark"),
        ("[]", "not questions of this benchmark: Expected `object`, got `array`"),
        ("{}", "no questions, expected some"),
        ({"1": [{"question": "Q", "type": "neutral", "choices": GOOD}]}, r"'neutral'.*\$\[...\]"),
        ({"1": [{"question": "Q", "type": "positive", "choices": GOOD[:1]}]}, "length >= 2"),
        ({"1": [{"question": "Q", "type": "positive", "choices": [["", 1], *GOOD]}]}, "length >="),
        ({"1": [{"question": "Q", "type": "positive", "choices": [["C", 2], *GOOD]}]}, "<= 1.0"),
        ({"1": [{"question": "Q", "type": "positive", "choices": GOOD * 14}]}, "length <= 26"),
        ({"2": []}, "class_names.json: no name of '2', which .*qa.json asks for"),
    ],
)
def test_what_is_no_file_of_dlc_bench(tmp_path, content, message):
    path = tmp_path / "qa.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    (tmp_path / "class_names.json").write_text('{"1": "pot"}', encoding="utf-8")
    with pytest.raises(InputFileError, match=message) as caught:
        read_questions("dlc", [str(path)])
    assert str(tmp_path) in str(caught.value)


def test_the_names_lie_beside_the_questions(tmp_path):
    (tmp_path / "qa.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputFileError, match=r"class_names.json: no such file; the names of"):
        read_questions("dlc", [str(tmp_path / "qa.json")])


SIMPLE = {"image": "images/a_0.png", "question": "Q", "answer": "A."}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no questions, expected some"),
        ({}, "Expected `array`, got `object`"),
        ([SIMPLE, {"image": "a_1.png"}], "record 1: not a question .* missing required field"),
        ([{**SIMPLE, "answer": ""}], "record 0: not a question .* length >= 1"),
        ([{"image": "a_1.png", "subject_name": "cup"}], "record 0: .*missing required field"),
        ([SIMPLE, SIMPLE], "record 1: 'a_0' is asked twice"),
    ],
)
def test_what_is_no_file_of_gar_bench(tmp_path, records, message):
    path = tmp_path / "simple.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(InputFileError, match=message):
        read_questions("gar", [str(path)])
