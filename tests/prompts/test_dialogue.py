"""From exchanges to a conversation: numbers, placeholders, the opening and the suffix."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.dialogue import (
    EvaluationTarget,
    Exchange,
    Part,
    RegionDefinition,
    RegionName,
    assemble,
    filled,
    listed,
)
from schemas.sample import Message, Region, Task
from schemas.style import Style

CLASSIFY, CAPTION = Task.REGION_CLASSIFICATION, Task.REGION_CAPTION
A, B, C = (Region(region_id=name, bbox=(0, 0, 1, 1), category=name) for name in "abc")
OPENINGS = {
    Style.REGIONGPT: "<image>\n",
    Style.GPT4ROI: "The <image> provides an overview of the picture.\n",
}


def ask(
    *request: Part, task: Task = CLASSIFY, answer: str = "yes", prefix: str = "", suffix: str = ""
) -> Exchange:
    return Exchange(
        task=task,
        request=request,
        answer=answer,
        prompt=f"p{len(request)}",
        prefix=prefix,
        suffix=suffix,
    )


def requests(*exchanges: Exchange) -> list[str]:
    """The user turns in the default style, without the image."""
    turns = assemble("id", Style.REGIONGPT, exchanges).messages[::2]
    return [message.content.removeprefix("<image>\n") for message in turns]


@pytest.mark.parametrize("style", Style)
def test_a_conversation(style):
    conversation = assemble(
        "id", style, [ask("Name ", A, "."), ask(B, task=CAPTION, answer="A dog.")]
    )
    assert conversation.messages == (
        Message("user", f"{OPENINGS[style]}Name <region1>."),
        Message("assistant", "yes"),
        Message("user", "<region2>"),
        Message("assistant", "A dog."),
    )
    assert (conversation.id, conversation.regions, conversation.prompts) == (
        "id",
        (A, B),
        ("p3", "p1"),
    )
    assert (conversation.turn_tasks, conversation.task) == ((CLASSIFY, CAPTION), "multi_task")


def test_regions_are_numbered_by_first_mention():
    turns = [ask(C, " and ", A), ask(A), ask(B, " and ", C)]
    assert requests(*turns) == ["<region1> and <region2>", "<region2>", "<region3> and <region1>"]
    assert assemble("id", Style.REGIONGPT, turns).regions == (C, A, B)


def test_a_suffix_stands_in_the_first_turn_of_its_task_only():
    turns = [
        ask(A, task=CAPTION),
        ask(A, suffix="Use words."),
        ask(B, suffix="Use words."),
        ask(B, task=CAPTION, suffix="At length."),
    ]
    assert requests(*turns) == ["<region1>", "<region1> Use words.", "<region2>", "<region2>"]


def test_a_prefix_stands_above_the_first_turn_of_its_task_only():
    turns = [
        ask(A, task=CAPTION, prefix="Say."),
        ask(A, prefix="Name.", suffix="Use words."),
        ask(B, prefix="Name.", suffix="Use words."),
        ask(B, task=CAPTION, prefix="Say."),
    ]
    assert requests(*turns) == [
        "Say.\n<region1>",
        "Name.\n<region1> Use words.",
        "<region2>",
        "<region2>",
    ]
    assert requests(*turns[2:]) == ["Name.\n<region1> Use words.", "Say.\n<region1>"]


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([], ()),
        ([A], (A,)),
        ([A, B], (A, " and ", B)),
        ([A, B, C], (A, ", ", B, " and ", C)),
        ([A, B, C, A], (A, ", ", B, ", ", C, " and ", A)),
    ],
)
def test_an_english_list(regions, expected):
    assert listed(regions) == expected


@pytest.mark.parametrize(
    ("wording", "expected"),
    [
        ("What is <region>?", ("What is ", A, " and ", B, "?")),
        ("<region>: what?", (A, " and ", B, ": what?")),
        ("Name <region>", ("Name ", A, " and ", B)),
        ("<region>", (A, " and ", B)),
    ],
)
def test_a_wording_with_its_placeholder_filled(wording, expected):
    parts = filled(wording, "<region>", listed([A, B]))
    assert tuple(part for part in parts if part != "") == expected


CANDIDATES = {
    Style.REGIONGPT: ("[1] <region1>, [2] <region2> and [3] <region3>", "Region [2]"),
    Style.GPT4ROI: ("region1 <region1>, region2 <region2> and region3 <region3>", "region2"),
}


@pytest.mark.parametrize("style", Style)
def test_a_declared_region_can_be_named(style):
    choice = Exchange(
        task=CLASSIFY,
        request=(
            "Among ",
            *listed([RegionDefinition(A), RegionDefinition(B), RegionDefinition(C)]),
            ", which?",
        ),
        answer=(RegionName(B),),
        prompt="p",
    )
    further = Exchange(
        task=CAPTION,
        request=("Where is ", RegionName(C), ", seen from ", B, "?"),
        answer=("Left of ", RegionName(B), "."),
        prompt="p",
    )
    conversation = assemble("id", style, [choice, further])
    declared, second = CANDIDATES[style]
    third = second.replace("2", "3")
    assert [message.content for message in conversation.messages] == [
        f"{OPENINGS[style]}Among {declared}, which?",
        second,
        f"Where is {third}, seen from <region2>?",
        f"Left of {second}.",
    ]
    assert conversation.regions == (A, B, C)


def test_declaring_and_pointing_share_one_numbering():
    turns = [ask(B), ask(RegionDefinition(A), " or ", RegionDefinition(B)), ask(A)]
    assert requests(*turns) == ["<region1>", "[2] <region2> or [1] <region1>", "<region2>"]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(
    "parts", [(RegionName(A),), (RegionName(A), RegionDefinition(A)), (B, RegionName(A))]
)
def test_a_region_is_not_named_before_it_is_declared(style, parts):
    with pytest.raises(AssertionError, match="declared"):
        assemble("id", style, [ask(*parts)])


@pytest.mark.parametrize("style", Style)
def test_a_region_named_in_the_first_answer_must_stand_in_the_request(style):
    nothing = Exchange(task=CLASSIFY, request=("Which?",), answer=(RegionName(A),), prompt="p")
    with pytest.raises(AssertionError, match="declared"):
        assemble("id", style, [nothing])


@pytest.mark.parametrize("style", Style)
def test_text_alone_has_no_image_to_introduce(style):
    turns = [ask("Hm?", suffix="Use words."), ask("So?", suffix="Use words.")]
    conversation = assemble("id", style, turns, text_only=True)
    assert [message.content for message in conversation.messages[::2]] == ["Hm? Use words.", "So?"]
    assert conversation.regions == ()
    with_image = assemble("id", style, turns).messages
    assert with_image[0].content == f"{OPENINGS[style]}Hm? Use words."
    assert with_image[1:] == conversation.messages[1:]


def test_items_leave_no_trace_in_the_conversation():
    turn = ask("Name ", A)
    assert turn.items == ()
    made = msgspec.structs.replace(turn, items=("1", "2"))
    assert assemble("id", Style.REGIONGPT, [made]) == assemble("id", Style.REGIONGPT, [turn])


def test_what_is_scored_has_its_turn_and_its_position_in_the_answer():
    def scored(turn: Exchange, *names: str) -> Exchange:
        targets = [
            EvaluationTarget(item_id=name, group="g", references=((RegionName(A),), name))
            for name in names
        ]
        return msgspec.structs.replace(turn, targets=tuple(targets))

    turns = [
        scored(ask("Name ", RegionDefinition(A), " and ", B), "first", "second"),
        ask("Why?"),
        scored(ask("And ", C, "?"), "third"),
    ]
    entries = assemble("id", Style.REGIONGPT, turns).evaluation
    places = [(entry.turn, entry.position, entry.item_id) for entry in entries]
    assert places == [(0, 0, "first"), (0, 1, "second"), (2, 0, "third")]
    assert entries[2].references == ("Region [1]", "third")
    assert assemble("id", Style.REGIONGPT, [turns[1]]).evaluation == ()


REGIONS = st.integers(0, 6).map(lambda number: Region(region_id=f"r{number}", bbox=(0, 0, 1, 1)))
EXCHANGES = st.builds(
    Exchange,
    task=st.sampled_from(list(Task)),
    request=st.lists(st.sampled_from(["What is ", " and ", "?"]) | REGIONS).map(tuple),
    answer=st.sampled_from(["cat", "dog, cat"]),
    prompt=st.just("p"),
    suffix=st.sampled_from(["", "Use words."]),
)


@given(st.lists(EXCHANGES, min_size=1, max_size=8), st.sampled_from(Style))
def test_there_are_as_many_tokens_as_regions_meant(exchanges, style):
    conversation = assemble("id", style, exchanges)
    contents = [message.content for message in conversation.messages]
    assert [content.count("<image>") for content in contents] == [1] + [0] * (len(contents) - 1)
    meant = [[part for part in turn.request if isinstance(part, Region)] for turn in exchanges]
    for regions, content in zip(meant, contents[::2], strict=True):
        numbers = [int(number) for number in re.findall(r"<region(\d+)>", content)]
        assert [conversation.regions[number - 1] for number in numbers] == regions
    assert len(set(conversation.regions)) == len(conversation.regions)
    assert set(conversation.regions) == {region for regions in meant for region in regions}
    asked: set[Task] = set()
    for turn, content in zip(exchanges, contents[::2], strict=True):
        first = bool(turn.suffix) and turn.task not in asked
        assert content.endswith("Use words.") == first
        asked.add(turn.task)
