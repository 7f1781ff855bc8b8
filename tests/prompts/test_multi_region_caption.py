"""Asking for captions of several regions: one conversation an image, or one a caption."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.multi_region_caption import CAPTION, GROUP_PHRASE, PHRASE, dialogues
from schemas.item import Expression, GroundedCaption, Mention, Passage
from schemas.sample import ImageInfo, Region, ScreenedImage, Task
from schemas.style import Style

IMAGE = ImageInfo(
    source="flickr30k",
    split="train",
    image_id="7",
    file_name="7.jpg",
    folder="pictures",
    width=10,
    height=10,
    size_bytes=100,
    licence="Flickr terms",
    shards=1,
)
REGIONS = tuple(Region(region_id=name, bbox=(0, 0, 1, 1)) for name in "abcd")
CAPTIONS = (
    GroundedCaption(
        "7#0", (Mention("Two men", ("c", "a")), " with ", Mention("a dog", ("b",)), " walk .")
    ),
    GroundedCaption(
        "7#1", ("In rain , ", Mention("a man", ("a",)), " and ", Mention("his son", ("c", "a")))
    ),
    GroundedCaption("7#2", (Mention("A poodle", ("b",)), " is wet .")),
)
SCREENED = ScreenedImage(IMAGE, REGIONS, CAPTIONS)
TEXTS = ("Two men with a dog walk.", "In rain, a man and his son", "A poodle is wet.")


def how(style: Style = Style.REGIONGPT, seed: int = 0, together: int = 1) -> Instruction:
    return Instruction(
        style=style,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        captions_per_conversation=together,
    )


def asked(screened: ScreenedImage = SCREENED, **changes) -> list[list[Exchange]]:
    return dialogues(screened, how(**changes))


def written(turns: list[Exchange], style: Style) -> list[str]:
    return [message.content for message in assemble("id", style, turns).messages]


def pattern(wording: str) -> str:
    return re.sub("<regions?>", lambda _: "(.+)", re.escape(wording))


def filling(request: str, wordings) -> str:
    """What stands at the placeholder of the one wording that a request was made from."""
    matches = [re.fullmatch(pattern(wording), request) for wording in wordings.wordings]
    (match,) = [match for match in matches if match]
    return match[1]


def test_one_conversation_has_a_turn_for_each_caption():
    (turns,) = asked()
    assert {turn.task for turn in turns} == {Task.MULTI_REGION_CAPTION}
    assert sorted(turn.answer for turn in turns) == sorted(TEXTS)
    assert sorted(item for turn in turns for item in turn.items) == ["7#0", "7#1", "7#2"]


def test_a_turn_lists_exactly_the_regions_of_its_caption():
    numbers: dict[str, int] = {}
    (turns,) = asked()
    conversation = assemble("id", Style.REGIONGPT, turns)
    for number, region in enumerate(conversation.regions, start=1):
        numbers[region.region_id] = number
    requests = [message.content for message in conversation.messages[::2]]
    requests[0] = requests[0].removeprefix("<image>\n")
    expected = {TEXTS[0]: "cab", TEXTS[1]: "ac", TEXTS[2]: "b"}
    for request, turn in zip(requests, turns, strict=True):
        meant = [numbers[name] for name in expected[str(turn.answer)]]
        listing = " and ".join(f"[{number}] <region{number}>" for number in meant)
        listing = re.sub(r" and (?=.* and )", ", ", listing)
        assert filling(request, CAPTION) == (f"<region{meant[0]}>" if len(meant) == 1 else listing)
    assert sorted(numbers) == ["a", "b", "c"]  # nothing is said of d
    seen = list(dict.fromkeys(re.findall(r"<region(\d)>", " ".join(requests))))
    assert seen == ["1", "2", "3"]


def phrases(*caption: str | Mention) -> list[tuple[str, str, Task]]:
    """The turns of a caption of GPT4RoI's after the first: what is named, the answer, the task."""
    item = GroundedCaption("7#0", caption)
    (turns,) = asked(replace(SCREENED, items=(item,)), style=Style.GPT4ROI)
    assert {turn.items for turn in turns} == {(item.id,)}
    requests = written(turns, Style.GPT4ROI)[2::2]
    asked_phrases = []
    for request, turn in zip(requests, turns[1:], strict=True):
        several = turn.task is Task.MULTI_REGION_CAPTION
        wordings = GROUP_PHRASE if several else PHRASE
        assert turn.prompt.startswith(f"{wordings.name}/")
        asked_phrases.append((filling(request, wordings), str(turn.answer), turn.task))
    return asked_phrases


def test_gpt4roi_tells_a_caption_and_then_asks_about_each_phrase_by_name():
    by_answer = {turns[0].answer: turns for turns in asked(style=Style.GPT4ROI)}
    assert sorted(by_answer) == sorted(TEXTS)
    requests = written(by_answer[TEXTS[0]], Style.GPT4ROI)[::2]
    first = requests[0].removeprefix("The <image> provides an overview of the picture.\n")
    assert filling(first, CAPTION) == "region1 <region1>, region2 <region2> and region3 <region3>"
    assert filling(requests[1], GROUP_PHRASE) == "region1 and region2"
    assert filling(requests[2], PHRASE) == "region3"
    assert [turn.answer for turn in by_answer[TEXTS[0]][1:]] == ["Two men", "a dog"]
    assert [turn.task for turn in by_answer[TEXTS[2]]] == [
        Task.MULTI_REGION_CAPTION, Task.REGION_CAPTION,
    ]  # fmt: skip


def test_gpt4roi_names_a_region_alone_as_well():
    (turns,) = [turns for turns in asked(style=Style.GPT4ROI) if turns[0].answer == TEXTS[2]]
    requests = written(turns, Style.GPT4ROI)[::2]
    assert "region1 <region1>" in requests[0]
    assert filling(requests[1], PHRASE) == "region1"


ALONE, TOGETHER = Task.REGION_CAPTION, Task.MULTI_REGION_CAPTION


def test_a_region_is_asked_about_alone_and_in_a_group():
    assert phrases(Mention("A man", ("b",)), " and ", Mention("two dogs", ("a", "b", "c"))) == [
        ("region1", "A man", ALONE),
        ("region1, region2 and region3", "two dogs", TOGETHER),
    ]
    assert phrases(Mention("Twins", ("b", "a")), ": ", Mention("one", ("a",))) == [
        ("region1 and region2", "Twins", TOGETHER),
        ("region2", "one", ALONE),
    ]


def test_a_phrase_of_no_region_is_not_asked_for():
    asked_phrases = phrases(Mention("Rain", ()), " on ", Mention("a dog", ("b",)))
    assert asked_phrases == [("region1", "a dog", ALONE)]


def test_the_same_regions_are_asked_about_once_by_their_first_phrase():
    assert phrases(
        Mention("Two men", ("a", "b")), " see ", Mention("a dog", ("c",)), " ; ",
        Mention("both", ("b", "a")), " call ", Mention("it", ("c",)), " to ",
        Mention("the men", ("a", "b", "c")),
    ) == [
        ("region1 and region2", "Two men", TOGETHER),
        ("region3", "a dog", ALONE),
        ("region1, region2 and region3", "the men", TOGETHER),
    ]  # fmt: skip


def test_a_turn_knows_its_phrase_and_those_that_it_stands_for():
    caption = (
        "So ", Mention("two men", ("a", "b")), " see ", Mention("a dog", ("c",)), " ; ",
        Mention("both", ("b", "a")), " call ", Mention("it", ("c",)), " , ", Mention("it", ("c",)),
    )  # fmt: skip
    screened = replace(SCREENED, items=(GroundedCaption("7#0", caption),))
    (turns,) = asked(screened, style=Style.GPT4ROI)
    assert [(turn.answer, turn.phrase, turn.other_phrases) for turn in turns[1:]] == [
        ("two men", "7#0/1", ("7#0/3",)),
        ("a dog", "7#0/2", ("7#0/4", "7#0/5")),
    ]
    (turn,) = asked(screened)[0]
    assert turns[0].phrase == turn.phrase == ""
    assert turns[0].other_phrases == turn.other_phrases == ()


@pytest.mark.parametrize(("together", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (150, [3])])
def test_gpt4roi_tells_several_captions_in_a_conversation(together, sizes):
    for seed in range(20):
        talks = asked(style=Style.GPT4ROI, together=together, seed=seed)
        captions_seen = [[turn.answer for turn in turns if turn.answer in TEXTS] for turns in talks]
        assert [len(texts) for texts in captions_seen] == sizes
        assert sorted(text for texts in captions_seen for text in texts) == sorted(TEXTS)
        for turns in talks:
            check_phrases(turns)


def check_phrases(turns: list[Exchange]) -> None:
    """Check that every phrase stands below its caption, and no regions are asked about twice."""
    by_id = {caption.id: caption for caption in CAPTIONS}
    captions_seen: list[str] = []
    handled: list[str] = []
    for turn in turns:
        (caption_id,) = turn.items
        if not turn.phrase:
            captions_seen.append(caption_id)
            assert not turn.follows
            continue
        assert turn.follows
        assert caption_id == captions_seen[-1] == turn.phrase.partition("/")[0]
        handled += [turn.phrase, *turn.other_phrases]
    assert sorted(handled) == sorted(
        f"{name}/{number}"
        for name in captions_seen
        for number, _ in enumerate(by_id[name].phrases(), start=1)
    )
    requests = written(turns, Style.GPT4ROI)[::2]
    asked_about = [
        filling(request, PHRASE if turn.task is ALONE else GROUP_PHRASE)
        for request, turn in zip(requests, turns, strict=True)
        if turn.phrase
    ]
    assert len(asked_about) == len(set(asked_about))


def test_a_further_caption_lists_its_regions_again_under_their_numbers():
    captions = (
        GroundedCaption("7#0", (Mention("A dog", ("b",)), " and ", Mention("a man", ("a",)))),
        GroundedCaption("7#1", (Mention("A man", ("a",)), " and ", Mention("his dog", ("b",)))),
    )
    ((first, *others),) = asked(replace(SCREENED, items=captions), style=Style.GPT4ROI, together=2)
    (further,) = [turn for turn in others if not turn.phrase]
    requests = written([first, *others], Style.GPT4ROI)[::2]
    assert filling(requests[others.index(further) + 1], CAPTION) == (
        "region2 <region2> and region1 <region1>"
    )
    # Both captions have a turn; each region is asked about once, by the first caption's phrase.
    assert [turn.items for turn in others] == [first.items, first.items, further.items]
    assert [turn.other_phrases for turn in others if turn.phrase] == [
        (f"{further.items[0]}/2",), (f"{further.items[0]}/1",)
    ]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, unique=True), min_size=1))
def test_no_region_is_called_by_a_phrase_of_another_number(groups):
    caption: Passage = tuple(Mention(f"it{at}", tuple(ids)) for at, ids in enumerate(groups))
    order = dict.fromkeys(name for ids in groups for name in ids)
    numbers = {name: str(at) for at, name in enumerate(order, start=1)}
    first: dict[frozenset[str], str] = {}
    for at, ids in enumerate(groups):
        first.setdefault(frozenset(numbers[name] for name in ids), f"it{at}")
    asked_phrases = phrases(*caption)
    assert [
        (frozenset(re.findall(r"\d", names)), answer) for names, answer, _ in asked_phrases
    ] == [*first.items()]
    assert all((" and " in names) is (task is TOGETHER) for names, _, task in asked_phrases)


@pytest.mark.parametrize("style", Style)
def test_an_image_without_captions_has_no_conversation(style):
    other = Expression("e", "a", "a man")
    assert asked(replace(SCREENED, items=(other,)), style=style) == []
    assert asked(replace(SCREENED, items=()), style=style) == []


@given(st.permutations(REGIONS), st.permutations(CAPTIONS), st.sampled_from(Style), st.integers())
def test_the_order_of_regions_and_captions_decides_nothing(regions, captions, style, seed):
    shuffled = replace(SCREENED, regions=tuple(regions), items=tuple(captions))
    assert asked(shuffled, style=style, seed=seed) == asked(style=style, seed=seed)


@pytest.mark.parametrize("style", Style)
def test_seed_and_image_draw_order_and_wordings(style):
    def outcome(seed: int, image_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        outcomes = replace(SCREENED, image=replace(IMAGE, image_id=image_id))
        turns = [turn for turns in asked(outcomes, style=style, seed=seed) for turn in turns]
        return tuple(str(turn.answer) for turn in turns), tuple(turn.prompt for turn in turns)

    for cases in ([(seed, "7") for seed in range(60)], [(0, str(name)) for name in range(60)]):
        outcomes = [outcome(*case) for case in cases]
        assert len({answers for answers, _ in outcomes}) == 6
        assert len({prompts for _, prompts in outcomes}) > 50


@pytest.mark.parametrize(("wordings", "least"), [(CAPTION, 20), (PHRASE, 20), (GROUP_PHRASE, 12)])
def test_there_are_enough_wordings(wordings, least):
    assert len({wording.lower() for wording in wordings.wordings}) >= least
    assert WORDING_SETS[wordings.name] is wordings
    assert DIALOGUES[Task.MULTI_REGION_CAPTION] is dialogues


def test_the_phrases_of_a_caption_need_the_turn_that_defines_their_regions():
    for turns in asked(style=Style.GPT4ROI):
        assert [turn.follows for turn in turns] == [bool(turn.phrase) for turn in turns]
    assert [turn.follows for turn in asked()[0]] == [False, False, False]
