"""Asking for categories: three modes, two styles, and always the same whatever the order given."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.catalog import WORDING_SETS
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.region_classification import (
    DETECTION_TASK,
    ONE_REGION,
    SEVERAL_REGIONS,
    category_listing,
    dialogues,
    label_set_suffix,
)
from schemas.sample import MAX_LISTED, LabelSet, Region, ScreenedImage, Task
from schemas.style import Style

SUFFIX = "Answer the question using COCO-80 category names."
NAMES = ("cat", "dog", "traffic_light", "hot dog")
LABELS = LabelSet.of("COCO-80", NAMES)
REGIONS = [
    Region(region_id=str(number), bbox=(0, 0, 1, 1), category=NAMES[number % 4])
    for number in range(6)
]


def how(
    style: Style = Style.REGIONGPT,
    mode: InstructionMode = InstructionMode.MULTI_TURN_ALL,
    seed: int = 0,
    suffix_share: float | None = None,
) -> Instruction:
    shares = {} if suffix_share is None else {"coco": suffix_share, "other": 1.0}
    return Instruction(
        style=style, mode=mode, wordings=WORDING_SETS, seed=seed, suffix_shares=shares
    )


@pytest.fixture(scope="session")
def asked(make_image):
    """Asks about regions of an image, in a way that is changed as told."""

    def ask(regions=REGIONS, labels=LABELS, image_id="7", **changes) -> list[list[Exchange]]:
        image = make_image(image_id=image_id)
        return dialogues(ScreenedImage(image, tuple(regions), label_set=labels), how(**changes))

    return ask


def meant(exchange: Exchange) -> list[Region]:
    return [part for part in exchange.request if isinstance(part, Region)]


def written(exchanges: list[Exchange], style: Style = Style.REGIONGPT) -> list[str]:
    return [message.content for message in assemble("id", style, exchanges).messages]


def shown(region: Region) -> str:
    return (region.category or "").replace("_", " ")


def matches(request: str, wordings) -> bool:
    """Tell whether a request is one of the wordings, filled."""
    return any(
        re.fullmatch(re.escape(wording).replace("<region>", "<region.*>"), request)
        for wording in wordings.wordings
    )


@pytest.mark.parametrize(
    ("mode", "regions_per_turn"),
    [
        (InstructionMode.MULTI_TURN_ALL, [[1, 1, 1, 1, 1, 1]]),
        (InstructionMode.ONE_TURN_ALL, [[6]]),
        (InstructionMode.ONE_TURN_ONE, [[1], [1], [1], [1], [1], [1]]),
    ],
)
def test_how_regions_are_spread(asked, mode, regions_per_turn):
    conversations = asked(mode=mode)
    assert [[len(meant(turn)) for turn in turns] for turns in conversations] == regions_per_turn
    every = [region for turns in conversations for turn in turns for region in meant(turn)]
    assert sorted(region.region_id for region in every) == list("012345")
    for turns in conversations:
        for turn in turns:
            assert turn.answer == ", ".join(shown(region) for region in meant(turn))
            assert turn.task is Task.REGION_CLASSIFICATION


@pytest.mark.parametrize("mode", InstructionMode)
def test_the_label_set_is_named_in_the_first_turn_only(asked, mode):
    for turns in asked(mode=mode):
        requests = written(turns)[::2]
        wordings = SEVERAL_REGIONS if mode is InstructionMode.ONE_TURN_ALL else ONE_REGION
        assert requests[0].startswith("<image>\n")
        assert requests[0].endswith(f" {SUFFIX}")
        requests[0] = requests[0].removeprefix("<image>\n").removesuffix(f" {SUFFIX}")
        assert all(matches(request, wordings) for request in requests)


def test_one_region_is_never_asked_about_as_if_it_were_several(asked):
    ((turn,),) = asked(regions=REGIONS[:1], mode=InstructionMode.ONE_TURN_ALL)
    assert turn.prompt.startswith("region_classification/")
    ((turn,),) = asked(regions=REGIONS[:2], mode=InstructionMode.ONE_TURN_ALL)
    assert turn.prompt.startswith("region_classification_several/")


@pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (40, [10] * 4)])
def test_a_turn_is_about_ten_regions_at_most(asked, count, sizes):
    regions = [Region(str(number), (0, 0, 1, 1), category="cat") for number in range(count)]
    conversations = asked(regions, mode=InstructionMode.ONE_TURN_ALL)
    assert [[len(meant(turn)) for turn in turns] for turns in conversations] == [
        [size] for size in sizes
    ]
    named = Counter(region.region_id for (turn,) in conversations for region in meant(turn))
    assert named == Counter(map(str, range(count)))


def names_with_commas(names: list[str], asked) -> list[str]:
    """Ask about a region of each name, and check that every answer can be taken apart."""
    regions = [
        Region(str(number), (0, 0, 1, 1), category=name) for number, name in enumerate(names)
    ]
    alone = []
    for (turn,) in asked(regions, mode=InstructionMode.ONE_TURN_ALL):
        categories = [" ".join(shown(region).split()) for region in meant(turn)]
        if len(categories) > 1:
            assert str(turn.answer).split(", ") == categories
        elif "," in turn.answer:
            assert [turn.answer] == categories
            alone.append(turn.answer)
    return sorted(alone)


def test_real_names_with_a_comma_stand_alone(asked, samples):
    def names(path: str) -> list[str]:
        return [item["name"] for item in json.loads((samples / path).read_bytes())]

    v3det = names("v3det/v3det_2023_v1_train_cat_info.json")
    assert len(v3det) == 13_204
    assert names_with_commas(v3det, asked) == [
        "Neck brace, Cervical collar",
        "Stir-Fried Green Pepper, Ham, and Eggs",
        "collie, western australia",
    ]
    assert names_with_commas(names("lvis/lvis_v1_train_cat_info.json"), asked) == []


@pytest.mark.parametrize("mode", InstructionMode)
def test_a_share_of_the_conversations_names_the_label_set(asked, mode):
    suffixes: Counter[bool] = Counter()
    for number in range(200):
        conversations = asked(image_id=str(number), mode=mode, suffix_share=0.25)
        plain = asked(image_id=str(number), mode=mode)
        for turns, others in zip(conversations, plain, strict=True):
            named = {turn.suffix for turn in turns}
            assert len(named) == 1
            suffixes[named == {SUFFIX}] += 1
            assert [turn.request for turn in turns] == [turn.request for turn in others]
            assert {turn.suffix for turn in others} == {SUFFIX}
    assert 0.17 < suffixes[True] / suffixes.total() < 0.33


@pytest.mark.parametrize(("share", "expected"), [(0, {""}), (1, {SUFFIX})])
def test_all_or_no_conversations_name_the_label_set(asked, share, expected):
    talks = [asked(image_id=str(number), suffix_share=share) for number in range(50)]
    assert {turn.suffix for (turns,) in talks for turn in turns} == expected


def test_turns_and_images_get_different_wordings(asked):
    (turns,) = asked()
    assert len({turn.prompt for turn in turns}) > 2
    firsts = {asked(image_id=str(number))[0][0].prompt for number in range(40)}
    assert len(firsts) > 8


@pytest.mark.parametrize(
    "labels", [LABELS, LabelSet.of("LVIS", ()), LabelSet.of("Mine", ("a_b", "<x>"))]
)
def test_gpt4roi_defines_the_task_once_and_then_only_points(asked, labels):
    (turns,) = asked(labels=labels, style=Style.GPT4ROI)
    first, *others = written(turns, Style.GPT4ROI)[::2]
    prefix, definition, region = first.split("\n")
    assert prefix == "The <image> provides an overview of the picture."
    assert definition in {
        wording.replace("<categories>", category_listing(labels))
        for wording in DETECTION_TASK.wordings
    }
    assert [region, *others] == [f"<region{number}>" for number in range(1, 7)]
    assert [turn.answer for turn in turns] == [shown(meant(turn)[0]) for turn in turns]
    assert {turn.prompt for turn in turns} == {turns[0].prompt}
    assert turns[0].prompt.startswith("detection_task/")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "these categories: name 0"),
        (3, "these categories: name 0, name 1, name 2"),
        (
            MAX_LISTED,
            f"these categories: {', '.join(f'name {number}' for number in range(MAX_LISTED))}",
        ),
        (MAX_LISTED + 1, "the Big category names"),
    ],
)
def test_up_to_a_hundred_names_are_listed(count, expected):
    labels = LabelSet.of("Big", tuple(f"name_{number}" for number in range(count)))
    assert MAX_LISTED == 100
    assert category_listing(labels.brief()) == expected


def test_the_suffix():
    assert label_set_suffix("COCO-80") == SUFFIX


@given(
    st.permutations(REGIONS),
    st.sampled_from(InstructionMode),
    st.sampled_from(Style),
    st.integers(),
)
def test_the_order_of_regions_decides_nothing(asked, regions, mode, style, seed):
    conversations = asked(regions=regions, mode=mode, style=style, seed=seed)
    assert conversations == asked(mode=mode, style=style, seed=seed)


@pytest.mark.parametrize("style", Style)
def test_the_order_of_turns_is_drawn_by_seed_and_image(asked, style):
    def order(**changes) -> str:
        return "".join(meant(turn)[0].region_id for turn in asked(style=style, **changes)[0])

    assert len({order(seed=number) for number in range(20)}) > 15
    assert len({order(image_id=str(number)) for number in range(20)}) > 15
    assert len({order(seed=3) for _ in range(20)}) == 1


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("mode", InstructionMode)
@pytest.mark.parametrize("labels", [LABELS, None])
def test_a_region_without_a_category_is_not_asked_about(asked, style, mode, labels):
    plain = [Region(region_id=f"plain {at}", bbox=(0, 0, 1, 1)) for at in range(3)]
    assert asked([], labels=labels, style=style, mode=mode) == []
    assert asked(plain, labels=labels, style=style, mode=mode) == []
    mixed = [plain[0], *REGIONS[:2], plain[1], *REGIONS[2:], plain[2]]
    assert asked(mixed, style=style, mode=mode) == asked(style=style, mode=mode)
