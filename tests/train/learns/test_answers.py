"""Answers by generation, their score, and the controls."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import RegionGPTForConditionalGeneration
from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.answers import generated, of_other_pictures, questions_of, score_answers
from train.learns.by_kind import exact_by_radius, exact_by_shape, table
from train.learns.shuffled import ShuffledAnswers


@pytest.fixture(scope="module")
def build(proof_shards):
    return Build.open(proof_shards)


@pytest.fixture(scope="module")
def rows(build):
    return ShardRows(build, build.shards("train", ["v3det"]))


@pytest.fixture(scope="module")
def questions(rows):
    return questions_of(rows)


def test_every_turn_is_a_question_after_the_right_answers(rows, questions):
    row = rows[0]
    mine = questions[: len(row["messages"]) // 2]
    for turn, question in enumerate(mine):
        assert question.messages == row["messages"][: 2 * turn + 1]
        assert question.reference == row["messages"][2 * turn + 1]["content"]
        assert [list(box) for box in question.regions] == [
            region["bbox"] for region in row["regions"][: turn + 1]
        ]
    assert len(questions) == sum(len(row["messages"]) // 2 for row in rows)


def test_the_control_changes_pictures_and_regions_alone(questions):
    others = of_other_pictures(questions)
    for question, other in zip(questions, others, strict=True):
        assert other.messages == question.messages
        assert other.reference == question.reference
        assert other.picture != question.picture
        assert other.asked != question.asked
        assert len(other.regions) == len(question.regions)


def test_shuffled_answers_keep_their_frequencies_roughly(build, rows):
    shuffled = ShuffledAnswers(build, build.shards("train", ["v3det"]))
    pairs = [
        (message["content"], other["content"])
        for number in range(100)
        for message, other in zip(
            rows[number]["messages"], shuffled[number]["messages"], strict=True
        )
        if message["role"] == "assistant"
    ]
    same = sum(answer == other for answer, other in pairs)
    assert same < 0.1 * len(pairs)
    known = Counter(answer for answer, _ in pairs)
    assert sum(other in known for _, other in pairs) > 0.9 * len(pairs)
    first = shuffled[0]["messages"]
    assert [m["role"] for m in first] == [m["role"] for m in rows[0]["messages"]]
    assert first[0] == rows[0]["messages"][0]


def test_exact_counts_whole_answers(questions):
    some = questions[:4]
    references = [question.reference for question in some]
    answers = [references[0], references[1].split()[0], references[2], ""]
    result = score_answers(answers, some)
    assert (result.exact, result.questions) == (0.5, 4)
    assert result.majority == Counter(references).most_common(1)[0][1] / 4


def test_shares_are_by_the_shape_of_the_right_answer(questions):
    answers = [question.reference for question in questions]
    answers[0] = "purple potato"
    shape = questions[0].reference.split()[-1]
    count = sum(question.reference.split()[-1] == shape for question in questions)
    shares = exact_by_shape(answers, questions)
    assert shares.pop(shape) == ((count - 1) / count, count)
    assert {share.exact for share in shares.values()} == {1}
    assert len(shares) == 7


def test_shares_are_by_the_radius_of_the_region_that_is_asked_about(questions):
    question = next(question for question in questions if len(question.regions) > 1)
    edges = [(0.0, 0.0, side, side) for side in (9.9, 10.0, 23.9, 32.0)]
    some = [
        replace(question, regions=[*question.regions[:-1], box], longest_side=144) for box in edges
    ]
    answers = [question.reference, "", question.reference, ""]
    assert exact_by_radius(answers, some, 144) == {
        "below 5 px": (1, 1), "5 to 7 px": (0, 1), "9 to 12 px": (1, 1), "16 px and more": (0, 1)
    }  # fmt: skip
    shares = exact_by_radius(answers, some, 72)
    assert shares == {"below 5 px": (0.5, 2), "5 to 7 px": (1, 1), "7 to 9 px": (0, 1)}
    lines = table(shares).splitlines()
    assert [line.split()[-3:] for line in lines] == [
        ["0.000", "of", "1"], ["0.500", "of", "2"], ["1.000", "of", "1"]
    ]  # fmt: skip


def test_a_model_answers_by_itself(tokenizer, questions):
    torch.manual_seed(0)
    config = tiny_regiongpt()
    model = RegionGPTForConditionalGeneration(config)
    answers = generated(model, processor_for(config, tokenizer), questions[:3])
    assert len(answers) == 3
