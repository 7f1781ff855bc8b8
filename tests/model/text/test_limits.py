"""Rows that are too long or do not fit their regions, and turns that are not turns."""

import pytest

from model.text import RegionMismatch, RowTooLong, WrongTurns
from schemas.errors import RegionForgeError

TALK = [
    {"role": "user", "content": "<image>\nWhat is <region3>?"},
    {"role": "assistant", "content": "a red star"},
    {"role": "user", "content": "And <region2>, beside <region3>?"},
    {"role": "assistant", "content": "a blue circle"},
    {"role": "user", "content": "And <region1>?"},
    {"role": "assistant", "content": "a pole"},
]


@pytest.fixture
def lengths(encoder_of, family, template):
    """The tokens of the first one, two and three turns, each as a conversation of its own."""
    encoder = encoder_of(family, template)
    renumbered = [
        {**message, "content": message["content"].replace("<region3>", "<region1>")}
        for message in TALK
    ]
    one, two, three = renumbered[:2], renumbered[:4], TALK
    return [
        len(encoder.encode_conversation(turns, regions).input_ids)
        for turns, regions in ((one, 1), (two, 2), (three, 3))
    ]


def test_whole_turns_go_from_the_end(encoder_of, family, template, lengths):
    whole = encoder_of(family, template).encode_conversation(TALK, 3)
    assert (whole.regions, whole.kept_regions, whole.dropped_turns) == ([2, 1, 2, 0], [0, 1, 2], 0)
    left = {1: ([0], [2]), 2: ([1, 0, 1], [1, 2]), 3: ([2, 1, 2, 0], [0, 1, 2])}
    supervised = [number for number in whole.labels if number != -100]
    one, two, three = lengths
    for limit in (one, one + 1, two - 1, two, two + 1, three - 1, three, three + 1):
        turns = sum(limit >= tokens for tokens in lengths)
        encoder = encoder_of(family, template, max_length=limit)
        encoded = encoder.encode_conversation(TALK, 3)
        assert len(encoded.input_ids) == lengths[turns - 1] == len(encoded.labels)
        assert (encoded.regions, encoded.kept_regions) == left[turns]
        assert encoded.dropped_turns == 3 - turns
        kept = [number for number in encoded.labels if number != -100]
        assert kept == supervised[: len(kept)]
        assert encoded.dropped_tokens == len(supervised) - len(kept)


def test_a_first_turn_that_is_too_long(encoder_of, family, template, lengths):
    encoder = encoder_of(family, template, max_length=lengths[0] - 1)
    message = (
        f"coco/train/1: its first question and answer take {lengths[0]} tokens, expected "
        f"{lengths[0] - 1} at most"
    )
    with pytest.raises(RowTooLong) as error:
        encoder.encode_conversation(TALK, 3, "coco/train/1")
    assert str(error.value) == message
    assert isinstance(error.value, RegionForgeError)


@pytest.mark.parametrize(
    ("content", "regions", "problem"),
    [
        ("<region1> <region3>", 2, "<region3> is mentioned, expected numbers from 1 to 2"),
        ("<region1>", 0, "<region1> is mentioned, expected none, as there are no regions"),
        ("<region0> <region1>", 1, "<region0> is mentioned, expected numbers from 1 to 1"),
        ("<region01>", 1, "<region01> is mentioned, expected numbers from 1 to 1"),
        (f"<region{'9' * 5000}>", 1, "<region99999999999999999999> is mentioned"),
        ("<region1>", 2, "<region2> is not mentioned, expected each of 2 regions to be"),
        ("Why?", 1, "<region1> is not mentioned, expected each of 1 regions to be"),
    ],
)
def test_regions_that_differ(encoder_of, content, regions, problem):
    encoder = encoder_of("byte", "vicuna_v1")
    question = [{"role": "user", "content": content}]
    answered = [*question, {"role": "assistant", "content": "a star"}]
    for encode, given in (
        (encoder.encode_conversation, answered),
        (encoder.encode_prompt, question),
        (encoder.encode_text, content),
    ):
        with pytest.raises(RegionMismatch) as error:
            encode(given, regions, "coco/train/1")
        assert str(error.value).startswith(f"coco/train/1: {problem}")


def test_two_hundred_regions_and_none(encoder_of):
    encoder = encoder_of("llama", "vicuna_v0")
    text = " ".join(f"<region{number}>" for number in range(200, 0, -1))
    prompt = encoder.encode_prompt([{"role": "user", "content": text}], 200)
    assert prompt.regions == list(range(199, -1, -1))
    assert encoder.encode_prompt([{"role": "user", "content": "<regional> Why?"}], 0).regions == []


def test_a_region_in_an_answer_is_read_and_not_learned(encoder_of):
    answered = [
        {"role": "user", "content": "Which one?"},
        {"role": "assistant", "content": "It is <region1>."},
    ]
    encoded = encoder_of("byte", "vicuna_v1").encode_conversation(answered, 1)
    assert encoded.labels[encoded.input_ids.index(-300)] == -100
    assert min(encoded.labels) == -100


@pytest.mark.parametrize(
    "roles",
    [
        (),
        ("system",),
        ("assistant",),
        ("user", "user"),
        ("assistant", "user"),
        ("user", "system", "assistant"),
        ("user", "assistant", "assistant"),
        ("system", "system", "user", "assistant"),
        ("user", "tool"),
    ],
)
def test_roles_in_another_order(encoder_of, roles):
    encoder = encoder_of("llama", "vicuna_v1")
    messages = [{"role": role, "content": "x"} for role in roles]
    for encode, last in (
        (encoder.encode_conversation, "assistant"),
        (encoder.encode_prompt, "user"),
    ):
        with pytest.raises(WrongTurns) as error:
            encode(messages, 0, "llava/train/1")
        assert str(error.value) == (
            f"llava/train/1: its roles are {list(roles)}, expected user and assistant in turn "
            f"after at most one system, and {last} last"
        )
