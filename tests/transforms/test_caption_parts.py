"""The parts of structured answers, in the forms in which servers and models give them."""

import json
from typing import Any

import pytest

from schemas.item import Attribute
from schemas.rejection import Reason, Rejected
from transforms.caption_checks import CaptionedRegion
from transforms.caption_parts import MAX_VALUES, NAMES, SCHEMA, accept_parts

MUG = CaptionedRegion(class_name="mug", others=("plate",), min_words=10)
PARAGRAPH = "The mug is red and made of china. Its handle is white, and its rim is chipped."
PHRASE, SENTENCE = "a red china mug", "A red mug stands on a shelf."
ATTRIBUTES: dict[str, Any] = {
    "colour": ["red", "white"],
    "material": ["china"],
    "shape": [],
    "state": ["chipped"],
    "text": ["Best Dad."],
}
WHOLE = {
    "phrase": PHRASE,
    "sentence": SENTENCE,
    "paragraph": PARAGRAPH,
    "attributes": ATTRIBUTES,
}
EXPECTED = (
    Attribute("colour", "red"),
    Attribute("colour", "white"),
    Attribute("material", "china"),
    Attribute("state", "chipped"),
    Attribute("text", "Best Dad."),
)
LINES = f"""Phrase: {PHRASE}
**Sentence:** {SENTENCE}
Paragraph: {PARAGRAPH}
Color: red, white
Material: china
State: chipped
Text: Best Dad."""


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(WHOLE),
        json.dumps(WHOLE, indent=2),
        f"```json\n{json.dumps(WHOLE)}\n```",
        f"<think>A mug? {{}}</think>Sure!\n{json.dumps(WHOLE)}\nHope this helps.",
        json.dumps({key.upper(): value for key, value in WHOLE.items()}),
        json.dumps({**WHOLE, "attributes": {**ATTRIBUTES, "colour": None, "Color": "red; white"}}),
        json.dumps(
            {**WHOLE, "attributes": [{"name": k, "value": v} for k, v in ATTRIBUTES.items()]}
        ),
        json.dumps({**WHOLE, "attributes": None, **ATTRIBUTES}),
        json.dumps({**WHOLE, "phrase": f"{PHRASE}.", "sentence": SENTENCE[:-1]}),
        LINES,
    ],
)
def test_every_form_of_an_answer_has_the_same_parts(answer):
    parts = accept_parts(answer, "stop", MUG)
    assert parts.paragraph == PARAGRAPH
    assert parts.others == (PHRASE, SENTENCE)
    assert parts.attributes == EXPECTED


def test_prose_is_the_paragraph():
    parts = accept_parts(PARAGRAPH, "stop", MUG)
    assert (parts.paragraph, parts.others, parts.attributes) == (PARAGRAPH, (), ())


def test_lines_that_reach_the_limit_are_cut_at_a_whole_sentence():
    answer = f"Phrase: {PHRASE}\nParagraph: {PARAGRAPH} Its base is"
    parts = accept_parts(answer, "length", MUG)
    assert (parts.paragraph, parts.others) == (PARAGRAPH, (PHRASE,))


def test_a_sentence_that_is_the_paragraph_is_told_once():
    long = "A red mug of china with a white handle stands on a shelf of dark wood."
    parts = accept_parts(json.dumps({**WHOLE, "sentence": long, "paragraph": long}), "stop", MUG)
    assert (parts.paragraph, parts.others) == (long, (PHRASE,))


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        ({"phrase": "I'm sorry, I cannot help."}, (SENTENCE,)),
        ({"phrase": 7, "sentence": None}, ()),
        ({"phrase": "A mug. It is red."}, (SENTENCE,)),
        ({"sentence": "A red mug. It stands."}, (PHRASE,)),
        ({"sentence": PARAGRAPH}, (PHRASE,)),
        ({"phrase": "a plate on a plate"}, (SENTENCE,)),
        ({"phrase": ""}, (SENTENCE,)),
    ],
)
def test_a_part_that_is_none_is_left_out(changes, others):
    parts = accept_parts(json.dumps({**WHOLE, **changes}), "stop", MUG)
    assert (parts.paragraph, parts.others) == (PARAGRAPH, others)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"colour": ["red", "red", "none", "", 3, None]}, ["red"]),
        ({"colour": [f"red {k}" for k in range(9)]}, [f"red {k}" for k in range(MAX_VALUES)]),
        ({"colour": "red"}, ["red"]),
        ({"colour": ["x" * 99]}, []),
        ({"colour": {"a": 1}}, []),
        ({"size": ["large"]}, []),
        ({"text": ["<region1>"]}, ["(region1)"]),
        ("red", []),
    ],
)
def test_attributes(attributes, expected):
    parts = accept_parts(json.dumps({**WHOLE, "attributes": attributes}), "stop", MUG)
    assert [each.value for each in parts.attributes] == expected


@pytest.mark.parametrize(
    ("answer", "finish", "reason"),
    [
        (json.dumps({**WHOLE, "paragraph": "A mug."}), "stop", Reason.CAPTION_SHORT),
        (json.dumps({**WHOLE, "paragraph": "I cannot see it."}), "stop", Reason.CAPTION_REFUSAL),
        (json.dumps(WHOLE)[:120], "length", Reason.CAPTION_CUT),
        (json.dumps(WHOLE)[:150], "stop", Reason.CAPTION_MARKUP),
        (json.dumps({"sentence": SENTENCE}), "stop", Reason.CAPTION_MARKUP),
        (json.dumps(WHOLE, indent=2)[:200], "stop", Reason.CAPTION_MARKUP),
        ("[1, 2]", "stop", Reason.CAPTION_EMPTY),
        ("<think>A mug", "length", Reason.CAPTION_CUT),
        ("{" * 5000, "stop", Reason.CAPTION_EMPTY),
    ],
)
def test_answers_that_are_rejected(answer, finish, reason):
    with pytest.raises(Rejected) as rejected:
        accept_parts(answer, finish, MUG)
    assert rejected.value.reason == reason


def test_the_schema_asks_for_each_part_and_nothing_else():
    assert SCHEMA["required"] == list(WHOLE)
    assert SCHEMA["additionalProperties"] is False
    attributes = SCHEMA["properties"]["attributes"]
    assert attributes["required"] == list(NAMES) == list(ATTRIBUTES)
