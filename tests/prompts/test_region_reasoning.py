"""Two rounds about a question: where its regions get their tokens, and how answers name them."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.dialogue import RegionName, assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.region_reasoning import (
    ALL_OBJECTS,
    AS_ASKED,
    MAX_LISTED_REGIONS,
    REASON,
    by_class,
    dialogues,
)
from schemas.item import Mention, Question
from schemas.sample import Conversation, Region, ScreenedImage, Task
from schemas.style import Style

NAMES = ("person", "dog", "wine glass", "person", "car", "bench")


def about(number: int) -> Mention:
    return Mention(NAMES[number], (str(number),))


ONE = Question("q1", ("Is ", about(3), " sad?"), (about(3), " is. But ", about(3), "."), ("So.",))
TWO = Question(
    "q2",
    ("Why does ", about(4), " follow ", about(1), " and not ", about(4), "'s owner?"),
    ("Because ", about(1), " leads."),
    ("It shows. ", about(4), "'s lead hangs down."),
)
MORE = Question("q3", ("What does ", about(0), " see?"), (about(1), "."), (about(2), " is empty."))
NONE = Question("q4", ("Is it day?",), ("Yes.",), ("It is bright.",))
GROUP = Question("q5", ("Who are ", Mention("people", ("3", "0")), "?"), ("Two.",), ("I see.",))


def how(style: Style = Style.GPT4ROI, seed: int = 0) -> Instruction:
    mode = InstructionMode.MULTI_TURN_ALL
    return Instruction(style=style, mode=mode, wordings=WORDING_SETS, seed=seed)


@pytest.fixture(scope="session")
def asked(make_image):
    """Assembles the conversations about an image with so many regions."""

    def ask(
        *questions: Question, style: Style = Style.GPT4ROI, seed: int = 0, regions: int = 6
    ) -> list[Conversation]:
        boxes = [
            Region(str(n), (n, 0.0, n + 1.0, 5.0), category=NAMES[n % 6]) for n in range(regions)
        ]
        screened = ScreenedImage(make_image(source="vcr"), tuple(boxes), questions)
        talks = dialogues(screened, how(style, seed))
        return [assemble("id", style, exchanges) for exchanges in talks]

    return ask


@pytest.fixture(scope="session")
def one_each(asked):
    """A conversation asked in place and one after the list of objects, by trying seeds."""

    def find(question: Question, style: Style = Style.GPT4ROI) -> tuple[Conversation, Conversation]:
        tried = [asked(question, style=style, seed=seed)[0] for seed in range(30)]
        by_layout = {talk.prompts[0] == AS_ASKED: talk for talk in tried}
        return by_layout[True], by_layout[False]

    return find


def texts(talk: Conversation) -> list[str]:
    return [message.content for message in talk.messages]


def region_ids(talk: Conversation) -> str:
    return "".join(region.region_id for region in talk.regions)


def listed_request(text: str, style: Style) -> tuple[str, str]:
    """The list of regions of a request, its wording checked, and the question after it."""
    named = r"region\d+ <region\d+>" if style is Style.GPT4ROI else r"\[\d+\] <region\d+>"
    objects = rf"{named}(?:(?:, | and ){named})*"
    for wording in ALL_OBJECTS.wordings:
        before, after = map(re.escape, wording.split("<region>"))
        if match := re.fullmatch(rf"{before}({objects}){after} (.*)", text.split("\n")[1]):
            return match[1], match[2]
    raise AssertionError(text)


def test_one_region_in_place(one_each):
    talk, _ = one_each(ONE)
    question, answer, _, reason = texts(talk)
    assert question == (
        "The <image> provides an overview of the picture.\nIs region1 <region1> sad?"
    )
    assert answer == "Person at region1 is. But person at region1."
    assert reason == "So."
    assert region_ids(talk) == "3"


def test_a_region_that_is_never_spoken_of_again_needs_no_name(one_each):
    once = Question("q6", ("Is ", about(1), " sad?"), ("Yes.",), ("It howls.",))
    bare, _ = one_each(once, Style.REGIONGPT)
    assert texts(bare)[0] == "<image>\nIs <region1> sad?"
    assert texts(one_each(ONE, Style.REGIONGPT)[0])[0] == "<image>\nIs [1] <region1> sad?"
    assert texts(one_each(once)[0])[0].endswith("\nIs region1 <region1> sad?")


def test_several_regions_in_place_are_numbered_as_they_are_mentioned(one_each):
    talk, _ = one_each(TWO)
    question, answer, _, reason = texts(talk)
    assert question.split("\n")[1] == (
        "Why does region1 <region1> follow region2 <region2> and not region1's owner?"
    )
    assert answer == "Because dog at region2 leads."
    assert reason == "It shows. Car at region1's lead hangs down."
    assert region_ids(talk) == "41"


@pytest.mark.parametrize("style", Style)
def test_all_objects_first(style, one_each):
    _, talk = one_each(TWO, style)
    question, answer, _, reason = texts(talk)
    objects, rest = listed_request(question, style)
    if style is Style.GPT4ROI:
        assert objects.startswith("region1 <region1>, region2 <region2>, ")
        assert objects.endswith(" and region6 <region6>")
        assert rest == "Why does region5 follow region2 and not region5's owner?"
        assert answer == "Because dog at region2 leads."
        assert reason == "It shows. Car at region5's lead hangs down."
    else:
        assert objects.startswith("[1] <region1>, [2] <region2>, ")
        assert objects.endswith(" and [6] <region6>")
        assert rest == "Why does Region [5] follow Region [2] and not Region [5]'s owner?"
        assert answer == "Because the dog at Region [2] leads."
        assert reason == "It shows. The car at Region [5]'s lead hangs down."
    assert region_ids(talk) == "012345"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("He wears ", "He wears the tie at Region [1]."),
        ("He wears his ", "He wears his tie at Region [1]."),
        ("Another ", "Another tie at Region [1]."),
        ("Banana ", "Banana the tie at Region [1]."),
        ("It is. ", "It is. The tie at Region [1]."),
        ("", "The tie at Region [1]."),
    ],
)
def test_a_name_has_one_determiner(words, expected):
    tie = Region("7", (0, 0, 4, 4), category="tie")
    passage = (*((words,) if words else ()), Mention("tie", ("7",)), ".")
    parts = [
        "Region [1]" if isinstance(part, RegionName) else part
        for part in by_class(passage, {"7": tie}, Style.REGIONGPT)
    ]
    assert "".join(map(str, parts)) == expected


def test_a_group_of_regions(one_each):
    in_place, listed = one_each(GROUP)
    assert texts(in_place)[0].endswith("\nWho are region1 <region1> and region2 <region2>?")
    assert region_ids(in_place) == "30"
    assert texts(listed)[0].endswith(" Who are region4 and region1?")


@pytest.mark.parametrize("question", [MORE, NONE])
def test_a_request_never_gives_away_what_the_answer_names(question, asked):
    for seed in range(20):
        (talk,) = asked(question, seed=seed)
        listed_request(texts(talk)[0], Style.GPT4ROI)
        assert region_ids(talk) == "012345"


def test_answers_that_bring_in_regions(asked):
    (talk,) = asked(MORE)
    assert texts(talk)[1] == "Dog at region2."
    assert texts(talk)[3] == "Wine glass at region3 is empty."


def test_no_region_at_all(asked):
    (talk,) = asked(NONE, regions=0)
    assert texts(talk)[0] == "The <image> provides an overview of the picture.\nIs it day?"
    assert talk.regions == ()


def test_the_second_round_asks_for_the_reason(asked):
    talks = [asked(ONE, seed=seed)[0] for seed in range(400)]
    assert {texts(talk)[2] for talk in talks} == set(REASON.wordings)
    for talk in talks:
        assert talk.turn_tasks == (Task.REGION_REASONING,) * 2
        assert talk.prompts[1].startswith("region_reasoning_reason/")


def test_there_are_enough_wordings():
    assert len(REASON.wordings) >= 30
    assert REASON.placeholders == ()


def test_three_in_four_of_those_that_can_be_are_asked_in_place(asked):
    layouts = Counter(asked(ONE, seed=seed)[0].prompts[0] == AS_ASKED for seed in range(800))
    assert 0.7 < layouts[True] / 800 < 0.8


def test_long_lists_end_with_what_is_needed(asked):
    needed = Question("q", ("?",), (Mention("dog", ("97",)), "."), ("So.",))
    (talk,) = asked(needed, regions=99)
    (other,) = asked(needed, regions=99, seed=1)
    ids = [region.region_id for region in talk.regions]
    assert len(ids) == MAX_LISTED_REGIONS
    assert "97" in ids
    assert sorted(ids, key=int) == ids
    assert talk.regions != other.regions


def test_one_conversation_a_question_in_order_of_ids(asked):
    later = Question("q10", ("Last?",), ("Yes.",), ("So.",))
    talks = asked(later, NONE, MORE)
    assert [texts(talk)[0].split("\n")[1].rsplit(". ")[-1] for talk in talks] == [
        "What does region1 see?",
        "Is it day?",
        "Last?",
    ]


@given(st.permutations([ONE, TWO, MORE, NONE, GROUP]), st.permutations(range(6)), st.integers())
def test_the_order_given_decides_nothing(make_image, questions, order, seed):
    regions = [Region(str(number), (0, 0, 1, 1), category="dog") for number in range(6)]
    image = make_image(source="vcr")
    screened = ScreenedImage(image, tuple(regions[n] for n in order), tuple(questions))
    straight = ScreenedImage(image, tuple(regions), (ONE, TWO, MORE, NONE, GROUP))
    assert dialogues(screened, how(seed=seed)) == dialogues(straight, how(seed=seed))


@pytest.mark.parametrize("style", Style)
def test_records_are_right_and_use_every_question(style, compose, make_image):
    regions = tuple(Region(str(n), (n, 0.0, n + 1.0, 5.0), category="dog") for n in range(6))
    questions = (ONE, TWO, MORE, NONE, GROUP)
    screened = ScreenedImage(make_image(source="vcr"), regions, questions)
    assert DIALOGUES[Task.REGION_REASONING] is dialogues
    draft, records = compose(screened, Task.REGION_REASONING, how(style))
    assert len(records) == 5
    assert [item_id for _, item_id in draft.items] == [question.id for question in questions]
    tokens = [re.findall(r"<region(\d+)>", record["messages"][0]["content"]) for record in records]
    for record, found_tokens in zip(records, tokens, strict=True):
        assert sorted(map(int, found_tokens)) == list(range(1, len(record["regions"]) + 1))
        later = [message["content"] for message in record["messages"][1:]]
        assert not any("<region" in text for text in later)


@pytest.mark.parametrize("style", Style)
def test_the_reason_needs_the_question_before_it(make_image, style):
    regions = tuple(Region(str(n), (n, 0.0, n + 1.0, 5.0), category=NAMES[n]) for n in range(6))
    screened = ScreenedImage(make_image(source="vcr"), regions, (ONE, TWO, MORE, NONE, GROUP))
    for turns in dialogues(screened, how(style)):
        assert [turn.follows for turn in turns] == [False, True]
