"""Every rule of a record: a right one passes, and each wrong one is named.

Length: one right record of each sort, wronged in every way there is a rule for.
"""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from schemas.check import check_record
from schemas.check_masks import mask_problems
from schemas.columns import BuildStamp, Row, to_batch
from schemas.mask import Mask, decode_counts, from_pixels
from schemas.rejection import Rejected
from schemas.sample import Conversation, ImageInfo, Message, Region, Task

HEIGHT, WIDTH = 6, 8
PIXELS = HEIGHT * WIDTH
CLASSIFICATION, CAPTION = Task.REGION_CLASSIFICATION, Task.REGION_CAPTION


def mask() -> Mask:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[1:4, 2:5] = True
    return from_pixels(pixels)


def region(name: str, category: str | None, masked: bool = False) -> Region:
    box = (1.0, 1.0, 4.5, 5.0)
    return Region(region_id=name, bbox=box, category=category, mask=mask() if masked else None)


def record():
    """A right record, as it is read from a shard: two turns of names, one of a caption."""
    talk = [
        ("system", "Answer briefly."),
        ("user", "<image>\nName <region1> and <region2>."),
        ("assistant", "traffic light, bus"),
        ("user", "And <region3>?"),
        ("assistant", "cat"),
        ("user", "Describe <region3> beside <region1>."),
        ("assistant", "<region3> sleeps."),
    ]
    conversation = Conversation(
        id="coco/train/7/multi_task/0",
        turn_tasks=(CLASSIFICATION, CLASSIFICATION, CAPTION),
        regions=(region("a", "traffic_light", True), region("b", "bus"), region("c", "cat", True)),
        messages=tuple(Message(role, content) for role, content in talk),  # type: ignore[arg-type]
        prompts=("p", "p", "q"),
    )
    image = ImageInfo(
        source="coco",
        split="train",
        image_id="7",
        file_name="7.jpg",
        folder="coco/train",
        width=WIDTH,
        height=HEIGHT,
        size_bytes=100,
        licence="CC BY 4.0",
        shards=1,
    )
    row = Row(image, image.file_name, conversation, (WIDTH, HEIGHT))
    stamp = BuildStamp(builder="regionforge", recipe="all", seed=0)
    return to_batch([row], stamp).to_pylist()[0]


def text_record():
    """A right record without an image."""
    row = record()
    row |= {"image": None, "width": None, "height": None, "regions": [], "task": "image_caption"}
    row |= {"turn_tasks": ["image_caption"]}
    row["messages"] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    row["provenance"]["prompts"] = ["p"]
    return row


def changed(row, *path_and_value):
    """Return a copy of the record with the value at a path of keys replaced."""
    *path, last, value = path_and_value
    inner = row = copy.deepcopy(row)
    for key in path:
        inner = inner[key]
    inner[last] = value
    return row


def said(row, number, content):
    return changed(row, "messages", number, "content", content)


@pytest.mark.parametrize("row", [record(), text_record()])
def test_a_right_record_passes(row):
    assert check_record(row) == []


@pytest.mark.parametrize("edge", [(0, 0, WIDTH, HEIGHT), (0, 0, 0.01, 0.01)])
def test_a_box_may_touch_the_edges(edge):
    assert check_record(changed(record(), "regions", 1, "bbox", list(edge))) == []


@pytest.mark.parametrize(
    ("path_and_value", "line"),
    [
        (
            ("id", "coco/val/7/x/0"),
            "id is 'coco/val/7/x/0', expected it to begin with 'coco/train/'",
        ),
        (("licence", " "), "licence is empty, expected the owner's terms"),
        (("width", None), "size of the image is None x 6, expected pixels"),
        (("height", 0), "size of the image is 8 x 0, expected pixels"),
        (("image", None), "size is 8 x 6 without an image, expected null"),
        (("image", None), "3 regions without an image, expected none"),
        (("turn_tasks", 0, "sing"), "turn task is 'sing', expected one of region_classification"),
        (("turn_tasks", ["image_caption"]), "1 turn tasks, expected one for each of 3 assistant"),
        (("task", "image_caption"), "task is 'image_caption', expected 'multi_task'"),
        (
            ("turn_tasks", ["region_caption"] * 3),
            "task is 'multi_task', expected 'region_caption'",
        ),
        (
            ("provenance", "prompts", ["p"]),
            "1 prompts in provenance, expected one for each of 3 user turns",
        ),
        (("regions", 1, "region_id", "a"), "two regions have the id 'a', expected each once"),
        (("regions", 1, "mask", {"size": [8, 6], "counts": "a"}), "region 2: mask size is [8, 6]"),
        (
            ("messages", 1, "role", "assistant"),
            "roles are ['system', 'assistant', 'assistant', 'user', 'assistant', 'user', "
            "'assistant'], expected user and assistant in turn after at most one system",
        ),
        (("messages", 6, "role", "user"), "roles are ['system', 'user', 'assistant', 'user', "),
        (("messages", []), "roles are [], expected user and assistant in turn"),
        (("id", None), "id is null, expected a value"),
        (("regions", None), "regions is null, expected a value"),
        (("turn_tasks", 1, None), "a turn task is null, expected a value"),
        (("messages", 1, None), "a message, or its role or content, is null, expected a value"),
        (("messages", 1, "content", None), "a message, or its role or content, is null"),
        (("regions", 0, None), "a region, or its id, box or mask's content, is null"),
        (("regions", 0, "bbox", [0, 0, None, 1]), "a region, or its id, box or mask's content,"),
        (("regions", 0, "mask", "counts", None), "a region, or its id, box or mask's content,"),
        (("regions", 0, "mask", "size", None), "a region, or its id, box or mask's content,"),
        (("provenance", "prompts", None), "provenance.prompts is null, expected a value"),
    ],
)
def test_a_wrong_value_is_named(path_and_value, line):
    problems = check_record(changed(record(), *path_and_value))
    assert any(problem.startswith(line) for problem in problems), problems


def named_together(*names: str):
    """A record that asks for the categories of several regions in one turn."""
    row = record()
    (region, *_) = row["regions"]
    row["regions"] = [
        {**region, "region_id": str(number), "category": name}
        for number, name in enumerate(names, start=1)
    ]
    tokens = ", ".join(f"<region{number}>" for number in range(1, len(names) + 1))
    row |= {"task": "region_classification", "turn_tasks": ["region_classification"]}
    row["messages"] = [
        {"role": "user", "content": f"<image>\nName {tokens}."},
        {"role": "assistant", "content": ", ".join(names)},
    ]
    row["provenance"] = {**row["provenance"], "prompts": row["provenance"]["prompts"][:1]}
    return row


def test_a_turn_names_ten_categories_at_most_and_one_with_a_comma_alone():
    assert check_record(named_together(*["cat"] * 10)) == []
    assert check_record(named_together("collie, western australia")) == []
    assert check_record(named_together(*["cat"] * 11)) == [
        "turn 1: 11 regions are asked about, expected 10 at most"
    ]
    assert check_record(named_together("cat", "collie, western australia")) == [
        "turn 1: the answer holds several names and 'collie, western australia', expected a name "
        "with a comma alone"
    ]


@pytest.mark.parametrize(
    "box",
    [
        (-0.5, 1, 4, 5),
        (1, -1, 4, 5),
        (1, 1, 8.01, 5),
        (1, 1, 4, 6.5),
        (4, 1, 4, 5),
        (1, 5, 4, 2),
        (math.nan, 1, 4, 5),
        (1, 1, math.inf, 5),
        (1, 1, 4, math.nan),
    ],
)
def test_a_box_outside_its_image_is_named(box):
    problems = check_record(changed(record(), "regions", 1, "bbox", list(box)))
    assert problems == [
        f"region 2: box is ({box[0]:g}, {box[1]:g}, {box[2]:g}, {box[3]:g}), "
        "expected 0 <= x0 < x1 <= 8 and 0 <= y0 < y1 <= 6"
    ]


@pytest.mark.parametrize(
    ("number", "content", "line"),
    [
        (1, "Name <region1> and <region2>.", "<image> stands [0, 0, 0, 0, 0, 0, 0] times"),
        (1, "<image><image> <region1> <region2>", "<image> stands [0, 2, 0, 0, 0, 0, 0] times"),
        (3, "<image> And <region3>?", "<image> stands [0, 1, 0, 1, 0, 0, 0] times"),
        (
            6,
            "<image>",
            "<image> stands [0, 1, 0, 0, 0, 0, 1] times in the messages, expected [0, 1,",
        ),
        (3, "<region3> <region9>", "<region9> is mentioned, expected numbers from 1 to 3"),
        (3, "<region3> <region0>", "<region0> is mentioned, expected numbers from 1 to 3"),
        (3, "<region3> <region01>", "<region01> is mentioned, expected numbers from 1 to 3"),
        (5, "Describe <region٣>.", "<region٣> is mentioned, expected numbers from 1 to 3"),
        (1, "<image> <region1>", "<region2> is not mentioned, expected every region to be"),
        (0, "See <region2>.", "the system message holds <region2>, expected no region"),
        (2, "traffic light, <region2>", "turn 1: the answer holds <region2>, expected no region"),
        (3, "And <region3> <region1>?", "<region1> is asked about more than once, expected each"),
        (3, "And <region3><region3>?", "<region3> is asked about more than once, expected each"),
        (3, "And?", "turn 2: no region is asked about, expected one at least"),
        (4, "dog", "turn 2: the answer is 'dog', expected 'cat'"),
        (
            2,
            "traffic_light, bus",
            "turn 1: the answer is 'traffic_light, bus', expected 'traffic li",
        ),
        (
            2,
            "bus, traffic light",
            "turn 1: the answer is 'bus, traffic light', expected 'traffic li",
        ),
    ],
)
def test_a_wrong_message_is_named(number, content, line):
    problems = check_record(said(record(), number, content))
    assert any(problem.startswith(line) for problem in problems), problems


def test_an_image_token_without_an_image_is_named():
    assert check_record(said(text_record(), 0, "<image> Hi")) == [
        "<image> stands [1, 0] times in the messages, expected [0, 0]"
    ]


@pytest.mark.parametrize("category", [None, "", "_"])
def test_a_region_without_a_category_cannot_be_asked_about(category):
    problems = check_record(changed(record(), "regions", 2, "category", category))
    assert [line[:47] for line in problems] == ["turn 2: a region has no usable category: expect"]


def test_other_tasks_may_mention_regions_as_they_like():
    row = said(record(), 5, "Compare <region1>, <region3>, <region1>.")
    assert check_record(said(row, 6, "<region1> and <region1>")) == []


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ("", "region 3: mask: run lengths sum to 0, expected 48"),
        ("`1", "region 3: mask: no pixel is on, expected one at least"),
        ("`10`1", "region 3: mask: run lengths sum to 96, expected 48"),
        ("l11", "region 3: mask: run lengths sum to 61, expected 48"),
        ("`1O1", "region 3: mask: a run of -1 pixels, expected none below 0"),
        ("`1!", "region 3: mask: '!' cannot stand in compressed run lengths"),
        ("`1é", "region 3: mask: 'é' cannot stand in compressed run lengths"),
        ("`1`", "region 3: mask: the compressed run lengths break off within a number"),
    ],
)
def test_a_wrong_mask_is_named(counts, line):
    assert check_record(changed(record(), "regions", 2, "mask", "counts", counts)) == [line]


@pytest.mark.parametrize("runs", [[48, 0], [0, 0, 48], [20, 0, 28], [20, 0, 28, 0]])
def test_empty_runs_hold_no_pixel(runs):
    size = HEIGHT, WIDTH
    counts = coco_mask.frPyObjects({"size": size, "counts": runs}, *size)["counts"].decode()
    assert decode_counts(counts) == runs
    problem = "no pixel is on, expected one at least"
    assert list(mask_problems([mask().counts, counts], PIXELS)) == [(1, problem)]


@pytest.mark.parametrize(
    "masks",
    [
        ["q1?", "0`1"],  # the first digit is right but for a bit that no digit has
        ["Q1?P", "0`1"],  # the first mask breaks off, and the second one's first digit would fit
    ],
)
def test_a_mask_is_not_taken_for_right_because_its_numbers_are(masks):
    assert list(mask_problems(["Q1?", "0`1"], PIXELS)) == []
    assert [number for number, _ in mask_problems(masks, PIXELS)] == [0]


def test_a_number_of_too_many_digits_is_named():
    counts = mask().counts
    padded = chr(ord(counts[0]) + 32) + "P" * 6 + "0" + counts[1:]
    assert decode_counts(counts)[0] < 16
    assert [number for number, _ in mask_problems([counts, padded], PIXELS)] == [1]


def test_right_masks_are_proven_together(monkeypatch):
    monkeypatch.setattr("schemas.check_masks.decode_counts", None)
    assert list(mask_problems([mask().counts] * 3, PIXELS)) == []


def test_an_image_without_pixels_has_no_right_mask():
    assert list(mask_problems([""], 0)) == [(0, "no pixel is on, expected one at least")]


def expected_problem(counts: str) -> bool:
    """The rule in plain words."""
    try:
        runs = decode_counts(counts)
    except Rejected:
        return True
    return sum(runs) != PIXELS or min(runs) < 0 or not any(runs[1::2])


def encoded(bits: list[bool]) -> str:
    return from_pixels(np.reshape(bits, (HEIGHT, WIDTH))).counts


RIGHT = st.lists(st.booleans(), min_size=PIXELS, max_size=PIXELS).map(encoded)
ALPHABET = "".join(map(chr, range(44, 116)))
MUTATED = st.tuples(RIGHT, st.integers(0, 20), st.text(ALPHABET, max_size=9)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
)


@given(st.lists(st.one_of(RIGHT, MUTATED, st.text(ALPHABET, max_size=12)), max_size=5))
def test_masks_are_judged_together_as_each_would_be_alone(masks):
    expected = [number for number, counts in enumerate(masks) if expected_problem(counts)]
    assert [number for number, _ in mask_problems(masks, PIXELS)] == expected


def choice():
    """A right record of choices: two candidates, three turns; the last one is of another task."""
    row = record()
    asked = Task.REFERRING_EXPRESSION_COMPREHENSION
    row |= {"turn_tasks": [asked, asked, CAPTION], "regions": row["regions"][:2]}
    said = [
        ("user", "<image>\nWhich of [1] <region1> and [2] <region2> is red?"),
        ("assistant", "Region [2]."),
        ("user", "Which is blue?"),
        ("assistant", "No corresponding options found."),
        ("user", "Describe <region1>."),
        ("assistant", "Region [9]"),
    ]
    row["messages"] = [{"role": role, "content": content} for role, content in said]
    return row


def test_a_right_choice_passes():
    assert check_record(choice()) == []
    assert check_record(said(choice(), 3, "Region [2]")) == []  # as earlier builds have it
    later = said(choice(), 0, "<image>\nWhich of [2] <region2> is red?")
    later = said(said(later, 1, "Region [2]"), 2, "With [1] <region1> as well: which is blue?")
    assert check_record(said(later, 3, "Region [2]")) == []


def test_a_chosen_region_is_described_in_another_conversation():
    assert check_record(said(choice(), 3, "Region [1]")) == [
        "turn 3: it is about <region1>, which is chosen in this conversation, expected it in "
        "another one"
    ]


def test_a_choice_stands_above_all_turns_about_regions():
    row = choice()
    row["turn_tasks"] = row["turn_tasks"][::-1]
    row["messages"] = [*row["messages"][4:], *row["messages"][2:4], *row["messages"][:2]]
    row = said(said(row, 0, "<image>\nDescribe <region1>."), 4, "Or [1] <region1>, [2] <region2>?")
    row = said(row, 2, "Which of [1] <region1> and [2] <region2> is blue?")
    assert check_record(row) == [
        f"turn {turn}: it is a choice below turns about regions, expected it above them"
        for turn in (2, 3)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        *(
            "Region [3]",
            "Region [0]",
            "Region [01]",
            "Region [2]..",
            "Region [2] .",
            "region [2]",
            "Region 2",
            "[2]",
        ),
        *("Region [1] Region [2]", "No corresponding options found", "None.", "Region [２]"),
    ],
)
def test_a_wrong_choice_is_named(answer):
    assert check_record(said(choice(), 1, answer)) == [
        f"turn 1: the answer is {answer!r}, expected 'Region [k].' with the number of a "
        "listed candidate, or 'No corresponding options found.'"
    ]


def test_a_candidate_is_listed_before_it_is_chosen():
    row = said(choice(), 0, "<image>\nWhich of [1] <region1> is red?")
    row = said(said(row, 2, "Which of [1] <region1> is blue?"), 4, "Describe [2] <region2>.")
    assert [line[:37] for line in check_record(row)] == [
        "turn 1: the answer is 'Region [2].', ",
        "turn 3: it is about <region2>, which ",
    ]


@pytest.mark.parametrize("listing", ["<region1>, <region2>", "[2] <region1>, [1] <region2>"])
def test_candidates_are_listed_with_their_own_numbers(listing):
    assert check_record(said(choice(), 0, f"<image>\nWhich of {listing} is red?")) == [
        f"turn {turn}: no candidate is listed, expected one at least, as '[1] <region1>'"
        for turn in (1, 2)
    ]
