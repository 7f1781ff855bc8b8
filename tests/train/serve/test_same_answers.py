"""A model after a short training: each way of asking it gives the evaluation's answers."""

import asyncio
import re
import signal
from pathlib import Path

import pytest

from bench.serving_ways import (
    evaluated,
    held_out_questions,
    share_right,
    through_answer,
    through_chat,
    through_page,
    through_server,
)
from regionforge import tiny_towers
from tests.forked import command
from train.cli import run

STEPS = 120  # after which some answers are right, and most are names at least


@pytest.fixture(scope="module")
def trained(proof_shards, made_once) -> Path:
    """A RegionGPT on the towers of the package, after a short first stage."""
    root: Path = made_once("same_answers", lambda folder: train(proof_shards, folder / "run"))
    return root / "run"


def train(shards: Path, output: Path) -> None:
    words = ["--recipe", "tiny_regiongpt_stage1", "--shards", str(shards)]
    words += ["--vision", str(tiny_towers.VISION), "--language", str(tiny_towers.LANGUAGE)]
    words += ["--output", str(output), "--batch", "8", "--max-steps", str(STEPS)]
    words += [f"--weights={name}=0" for name in ("llava", "refcocog", "vcr")]
    assert run(["train", *words, "--workers", "0", "--device", "cpu"]) == 0


@pytest.fixture(scope="module")
def questions(held_out, tmp_path_factory):
    return held_out_questions(held_out, tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def expected(trained, held_out, questions, tmp_path_factory) -> dict[str, str]:
    """The evaluation's answers."""
    answers = evaluated(trained, held_out, tmp_path_factory.mktemp("evaluation"))
    assert answers.keys() == {each.id for each in questions}
    assert share_right(questions, answers) > 0.1  # one in 64 by chance
    return answers


def test_answer_and_chat(trained, held_out, questions, expected, tmp_path):
    assert through_answer(trained, held_out, tmp_path) == expected
    assert through_chat(trained, questions) == expected


@pytest.fixture
def server(trained, tmp_path):
    """The address of a server of that model."""
    words = ["serve", "--checkpoint", trained, "--port", "0", "--batch", "16", "--device", "cpu"]
    process = command(tmp_path / "shown.txt", *words)
    match = re.search(r"http://\S+", process.line())
    assert match, process.shown()
    yield match[0]
    process.signal(signal.SIGTERM)
    process.ended()


def test_the_server(server, trained, questions, expected):
    assert asyncio.run(through_server(server, trained.name, questions)) == expected


def test_the_page(trained, questions, expected):
    """Its boxes are whole pixels of what is shown: next to none of the answers differs."""
    answers = through_page(trained, questions)
    same = sum(answers[each] == expected[each] for each in expected)
    assert same >= 0.9 * len(expected)
