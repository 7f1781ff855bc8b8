"""Answers by generation, their score, and the controls."""

from collections import Counter

import pytest
import torch

from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import RegionGPTForConditionalGeneration
from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.answers import generated, of_other_pictures, questions_of, score_answers
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


def test_a_model_answers_by_itself(tokenizer, questions):
    torch.manual_seed(0)
    config = tiny_regiongpt()
    model = RegionGPTForConditionalGeneration(config)
    answers = generated(model, processor_for(config, tokenizer), questions[:3])
    assert len(answers) == 3
