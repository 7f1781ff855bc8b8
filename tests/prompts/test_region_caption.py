"""Short descriptions of regions: one of each region a conversation, in the forms of two styles."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.catalog import WORDING_SETS
from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.region_caption import (
    CLAUSE,
    EVALUATION,
    PHRASE,
    REFERRING_TASK,
    REFERRING_TASK_NO_POSITION,
    SENTENCE,
    dialogues,
)
from schemas.item import Expression
from schemas.sample import Conversation, Region, ScreenedImage, Task
from schemas.style import Style

PREFIX = "The <image> provides an overview of the picture."
SENTENCES = (  # of regions a to c
    Expression("1", "a", "left guy"),
    Expression("2", "a", "the man in a red shirt ."),
    Expression("3", "a", "Left guy"),
    Expression("4", "b", "dog"),
    Expression("5", "b", "small dog"),
    Expression("6", "c", "5 o'clock bowl"),
)
SOURCES = st.sampled_from(["refcoco", "refcoco_plus", "refcocog", "visual_genome"])


def how(style: Style, seed: int = 0) -> Instruction:
    mode = InstructionMode.MULTI_TURN_ALL
    return Instruction(
        style=style,
        mode=mode,
        wordings=WORDING_SETS,
        seed=seed,
        task_definitions={
            "refcoco": REFERRING_TASK.name,
            "refcoco_plus": REFERRING_TASK_NO_POSITION.name,
        },
    )


@pytest.fixture(scope="session")
def described(make_image):
    """Makes an image of a source with regions a to d and what is said of them."""

    def make(source: str, sentences=SENTENCES, image_id: str = "7") -> ScreenedImage:
        regions = tuple(Region(name, (at, 0.0, at + 4.0, 5.0)) for at, name in enumerate("abcd"))
        return ScreenedImage(make_image(source=source, image_id=image_id), regions, sentences)

    return make


def assembled(screened: ScreenedImage, style: Style) -> list[Conversation]:
    conversations = dialogues(screened, how(style))
    return [assemble("id", style, exchanges) for exchanges in conversations]


def requests(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages[::2]]


def fits(request: str, wordings, token: str) -> bool:
    """Tell whether a request is one of the wordings, about a region of such a form."""
    return any(
        re.fullmatch(re.escape(wording).replace("<region>", token), request)
        for wording in wordings.wordings
    )


@given(SOURCES, st.sampled_from(Style))
def test_each_conversation_asks_once_about_each_region_that_has_so_many(described, source, style):
    conversations = dialogues(described(source), how(style))
    regions = {sentence.id: sentence.region_id for sentence in SENTENCES}
    asked = [sorted(regions[turn.items[0]] for turn in turns) for turns in conversations]
    assert asked == [["a", "b", "c"], ["a", "b"], ["a"]]
    turns: list[Exchange] = [turn for turns in conversations for turn in turns]
    assert {turn.items: turn.answer for turn in turns} == {
        (sentence.id,): detokenised(sentence.text) for sentence in SENTENCES
    }
    assert {turn.task for turn in turns} == {Task.REGION_CAPTION}
    assert {turn.suffix for turn in turns} == {""}


@pytest.mark.parametrize("source", ["refcoco", "refcoco_plus", "refcocog", "visual_genome"])
def test_regiongpt_asks_about_a_bare_region(described, source):
    for conversation in assembled(described(source), Style.REGIONGPT):
        first, *others = requests(conversation)
        assert first.startswith("<image>\n")
        for number, request in enumerate([first.removeprefix("<image>\n"), *others], start=1):
            assert fits(request, PHRASE, f"<region{number}>")
        assert all(prompt.startswith("region_caption_phrase/") for prompt in conversation.prompts)


@pytest.mark.parametrize(
    ("source", "definitions"),
    [("refcoco", REFERRING_TASK), ("refcoco_plus", REFERRING_TASK_NO_POSITION)],
)
def test_gpt4roi_defines_the_task_of_stage_1_once_and_then_only_points(
    described, source, definitions
):
    seen = set()
    for number in range(10):
        for conversation in assembled(described(source, image_id=str(number)), Style.GPT4ROI):
            first, *others = requests(conversation)
            prefix, definition, region = first.split("\n")
            assert prefix == PREFIX
            assert definition in definitions.wordings
            count = len(conversation.regions)
            assert [region, *others] == [f"<region{at}>" for at in range(1, count + 1)]
            (prompt,) = set(conversation.prompts)
            assert prompt.startswith(f"{definitions.name}/")
            seen.add(definition)
    assert len(seen) > 3


@pytest.mark.parametrize("source", ["refcocog", "visual_genome"])
def test_gpt4roi_asks_about_a_region_by_its_name_in_stage_2(described, source):
    for conversation in assembled(described(source), Style.GPT4ROI):
        first, *others = requests(conversation)
        assert first.startswith(f"{PREFIX}\n")
        for number, request in enumerate([first.removeprefix(f"{PREFIX}\n"), *others], start=1):
            assert fits(request, PHRASE, f"region{number} <region{number}>")
        assert all(prompt.startswith("region_caption_phrase/") for prompt in conversation.prompts)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(
    ("text", "wordings"),
    [
        ("a red car parked at the curb", PHRASE),
        ("the chair the cat is on", PHRASE),
        ("it is an indoor photo", CLAUSE),
        ("man is riding a horse", CLAUSE),
        ("The man is casting a shadow.", SENTENCE),
    ],
)
def test_a_request_fits_the_form_of_its_answer(described, style, text, wordings):
    for number in range(40):
        screened = described("visual_genome", (Expression("1", "a", text),), str(number))
        [[exchange]] = dialogues(screened, how(style))
        assert exchange.answer == text
        assert exchange.prompt.startswith(f"{wordings.name}/")


def test_shouted_sentences_are_lowered_and_asked_about_as_such(described):
    shouted = Expression("1", "a", "KEYBOARD IS WHITE IN COLOUR")
    [[exchange]] = dialogues(described("visual_genome", (shouted,)), how(Style.REGIONGPT))
    assert exchange.answer == "keyboard is white in colour"
    assert exchange.prompt.startswith("region_caption_clause/")


@given(st.data(), SOURCES, st.sampled_from(Style), st.integers())
def test_the_order_of_sentences_decides_nothing(described, data, source, style, seed):
    shuffled = described(source, tuple(data.draw(st.permutations(SENTENCES))))
    assert dialogues(shuffled, how(style, seed)) == dialogues(described(source), how(style, seed))


@pytest.mark.parametrize("style", Style)
def test_which_sentence_comes_first_is_drawn_by_seed_and_image(described, style):
    def firsts(screened: ScreenedImage, seed: int) -> tuple[str, ...]:
        return tuple(turn.items[0] for turn in dialogues(screened, how(style, seed))[0])

    assert len({firsts(described("refcoco"), seed) for seed in range(30)}) > 15
    images = [described("refcoco", image_id=str(number)) for number in range(30)]
    assert len({firsts(each, 0) for each in images}) > 15


def test_an_image_of_which_nothing_is_said_gives_no_conversation(described):
    for style in Style:
        assert dialogues(described("refcoco", ()), how(style)) == []


@given(SOURCES, st.sampled_from(Style), st.lists(st.sampled_from("aaabbcd"), max_size=9))
def test_records_are_right(described, compose, source, style, regions):
    texts = ("dog", 'a "dog"', "[1] region1 .", "(region1)")
    sentences = tuple(Expression(str(at), name, texts[at % 4]) for at, name in enumerate(regions))
    draft, records = compose(described(source, sentences), Task.REGION_CAPTION, how(style))
    if draft is None:
        assert sentences == ()
        return
    answers = Counter(
        message["content"] for record in records for message in record["messages"][1::2]
    )
    assert answers == Counter(detokenised(sentence.text) for sentence in sentences)
    assert {item_id for _, item_id in draft.items} == {sentence.id for sentence in sentences}
    assert set(draft.region_ids()) == set(regions)
    for record in records:
        told = [message["content"] for message in record["messages"]]
        tokens = [re.findall(r"<region(\d+)>", content) for content in told[::2]]
        assert tokens == [[str(number)] for number in range(1, len(record["regions"]) + 1)]
        said = {(sentence.region_id, detokenised(sentence.text)) for sentence in sentences}
        for region, answer in zip(record["regions"], told[1::2], strict=True):
            assert (region["region_id"], answer) in said


@pytest.mark.parametrize(
    ("wordings", "placeholders", "least"),
    [
        (PHRASE, ("<region>",), 30),
        (CLAUSE, ("<region>",), 20),
        (SENTENCE, ("<region>",), 20),
        (REFERRING_TASK, (), 4),
        (REFERRING_TASK_NO_POSITION, (), 4),
    ],
)
def test_there_are_as_many_wordings_as_the_papers_have(wordings, placeholders, least):
    assert WORDING_SETS[wordings.name] is wordings
    assert wordings.placeholders == placeholders
    assert len(set(wordings.wordings)) == len(wordings.wordings) >= least


# What only some of the answers are: the owners' phrases and sentences have 1 to 20 words, and tell
# of people, things, parts, looks, deeds or places.
NARROW = (
    r"\b(handful|several|two|three|five|ten|twenty) words?\b", r"\ba word\b", r"\bphrase\.",
    r"\b(one|single) (\w+ )?(sentence(?! at most)|phrase)\b", r"\b(thing|object|appearance)\b",
    r"\bdoes <region> look\b", r"\bgoing on\b", r"\bhappen", r"\bdoing\b", r"\bcut out\b",
)  # fmt: skip


@pytest.mark.parametrize("wordings", [PHRASE, EVALUATION])
def test_any_short_answer_fits_every_wording(wordings):
    narrow = [line for line in wordings.wordings if re.search("|".join(NARROW), line)]
    assert narrow == []
