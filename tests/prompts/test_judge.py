"""The prompts of judges: every hole is filled once, and the id follows the text."""

import doctest
import re

import pytest

from prompts import judge as module
from prompts.judge import (
    CHOICE,
    CROP,
    MASK,
    RECOGNITION,
    RELATION,
    SAME_MEANING,
    WHOLE,
    JudgePrompt,
    choice_question,
)

PROMPTS = [CHOICE, RECOGNITION, SAME_MEANING, RELATION, WHOLE, CROP, MASK]


def test_examples():
    assert doctest.testmod(module).failed == 0


def test_every_name_is_there_once():
    assert len({prompt.name for prompt in PROMPTS}) == len(PROMPTS)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
def test_another_text_has_another_id(prompt):
    other = JudgePrompt(prompt.name, prompt.text + " ")
    assert other.id != prompt.id
    assert re.fullmatch(rf"{prompt.name}/[0-9a-f]{{8}}", prompt.id)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
def test_what_fills_a_hole_is_never_filled(prompt):
    holes = re.findall(r"\{(\w+)\}", prompt.text)
    filled = prompt.fill(**dict.fromkeys(holes, "{question} \\1 {answer}"))
    assert filled.count("{question} \\1 {answer}") == len(holes)


def test_options_stand_one_per_line_with_letters():
    prompt = choice_question("A pot.", "Which?", ["One.", "Two.", "Three."])
    assert prompt.endswith("Question: Which?\nA. One.\nB. Two.\nC. Three.")
    assert "Description:\nA pot.\n" in prompt
