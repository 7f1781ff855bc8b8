"""The captioner without a model tells the truth: checked against scenes whose contents are known.

What captions say of boxes is read back from their words and computed again here, from the boxes
alone; colours are compared with those the shapes were painted in.
"""

import asyncio
import re
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import (
    AnnotatedRegion,
    CaptionTarget,
    PromptImage,
    Request,
)
from pipelines.recap.captioning.colours import NAMES
from pipelines.sample_world.album import album
from pipelines.sample_world.scene import World
from pipelines.sample_world.shapes import COLOURS
from schemas.geometry import Box
from transforms.caption_checks import accept_caption
from transforms.crop import crop, encode_jpeg

MAX_PIXELS = 512 * 512
SHARES = {
    "more than half of it": (0.5, 1.0),
    "between a quarter and a half of it": (0.25, 0.5),
    "between a tenth and a quarter of it": (0.1, 0.25),
    "less than a tenth of it": (0.0, 0.1),
    "less than a fiftieth of it": (0.0, 0.02),
}
COLOUR = re.compile(rf"\b({'|'.join(NAMES)})\b")


def answer(target: CaptionTarget, jpeg: bytes, context: float = 0.0) -> str:
    async def load_image() -> PromptImage:
        return PromptImage(jpeg, target)

    request = Request(id="1", image_rank=1, prompt="?", load_image=load_image, max_tokens=99)
    return asyncio.run(BuiltinCaptioner(context).ask(request)).text


def about(
    picture: Image.Image, regions: list[AnnotatedRegion], region: AnnotatedRegion, context=0.0
) -> str:
    target = CaptionTarget(picture.width, picture.height, tuple(regions), region)
    return answer(target, encode_jpeg(crop(picture, region.bbox, context), MAX_PIXELS), context)


@pytest.fixture(scope="module")
def scenes():
    """Pictures with their regions and the colours these were painted in."""
    scenes = []
    for shot in album("builtin", World(seed=3, pictures=240), {0: "grey", 1: "grey"}):
        with Image.open(BytesIO(shot.jpeg())) as opened:
            picture = opened.convert("RGB")
        regions = [AnnotatedRegion(thing.box, thing.shape) for thing in shot.scene.things]
        scenes.append((picture, regions, [thing.colour for thing in shot.scene.things]))
    return scenes


@pytest.fixture(scope="module")
def captions(scenes):
    """For every region: its picture, the regions, its index and its caption."""
    return [
        (picture, regions, index, about(picture, regions, region))
        for picture, regions, _ in scenes
        for index, region in enumerate(regions)
    ]


def test_colours_are_those_of_the_things(scenes):
    named = right = 0
    for context in (0.0, 0.5):
        for picture, regions, colours in scenes:
            for region, colour in zip(regions, colours, strict=True):
                colours_named = COLOUR.findall(about(picture, regions, region, context))
                assert len(colours_named) <= 1
                named += len(colours_named)
                right += colours_named == [colour]
    total = 2 * sum(len(regions) for _, regions, _ in scenes)
    assert total > 900
    assert named > 0.95 * total
    assert right > 0.99 * named


def test_every_colour_of_the_world_has_a_name():
    assert set(COLOURS) == set(NAMES)


def test_captions_are_captions(captions):
    for *_, caption in captions:
        assert accept_caption(caption, "stop") == caption
        assert 15 < len(caption.split()) < 80
    assert len({caption for *_, caption in captions}) > 0.9 * len(captions)


def test_places_and_shares_are_those_of_the_boxes(captions):
    pattern = re.compile(r"The (.+?) is (.+?) of the picture and takes up (.+?)\. ")
    for picture, regions, index, caption in captions:
        match = pattern.match(caption)
        assert match is not None
        x0, y0, x1, y1 = regions[index].bbox
        share = (x1 - x0) * (y1 - y0) / (picture.width * picture.height)
        low, high = SHARES[match[3]]
        assert low <= share <= high
        assert match[1] == regions[index].category
        across, down = (x0 + x1) / 2 / picture.width, (y0 + y1) / 2 / picture.height
        assert ("left" in match[2]) == (across < 1 / 3)
        assert ("right" in match[2]) == (across >= 2 / 3)
        assert ("upper" in match[2] or "top" in match[2]) == (down < 1 / 3)
        assert ("lower" in match[2] or "bottom" in match[2]) == (down >= 2 / 3)


def test_forms_and_ranks_are_those_of_the_boxes(captions):
    counts = Counter[str]()
    for _, regions, index, caption in captions:
        x0, y0, x1, y1 = regions[index].bbox
        assert ("clearly wider" in caption) == (x1 - x0 >= 1.5 * (y1 - y0))
        assert ("clearly taller" in caption) == (y1 - y0 >= 1.5 * (x1 - x0))
        areas = [(each.bbox[2] - each.bbox[0]) * (each.bbox[3] - each.bbox[1]) for each in regions]
        for word, best in (("largest", max(areas)), ("smallest", min(areas))):
            if word in caption:
                assert f"the {word} of {len(regions)} marked objects" in caption
                assert [number for number, area in enumerate(areas) if area == best] == [index]
                counts[word] += 1
    assert min(counts["largest"], counts["smallest"]) > 50


def holds(relation: str, a: Box, b: Box) -> bool:
    """Return whether a phrase is true of two boxes."""
    apart = {
        "lies to the left of": a[2] <= b[0],
        "lies to the right of": a[0] >= b[2],
        "lies above": a[3] <= b[1],
        "lies below": a[1] >= b[3],
    }
    if relation in apart:
        return apart[relation]
    shared = min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
    inside = a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]
    return shared and inside == (relation == "lies within the bounds of")


def test_relations_hold_of_boxes(captions):
    pattern = re.compile(
        r"(lies to the left of|lies to the right of|lies above|lies below|overlaps the bounds of"
        r"|lies within the bounds of) (the|one|another) (.+?)(?= and (?:lies|overlaps)|\.)"
    )
    counts = Counter[str]()
    for _, regions, index, caption in captions:
        others = [each for number, each in enumerate(regions) if number != index]
        relations = pattern.findall(caption)
        assert len(relations) in ((0,) if not others else (1,) if len(others) == 1 else (1, 2))
        for relation, article, name in relations:
            meant = [each for each in others if each.category == name]
            assert any(holds(relation, regions[index].bbox, each.bbox) for each in meant)
            assert (article == "the") == (len(meant) == 1 and name != regions[index].category)
            assert (article == "another") == (name == regions[index].category)
            counts[relation] += 1
    assert len(counts) >= 5


@pytest.mark.parametrize(
    ("dog", "cat", "expected"),
    [
        ((0, 0, 10, 10), (20, 0, 30, 10), "lies to the left of the cat"),
        ((20, 0, 30, 10), (0, 0, 10, 10), "lies to the right of the cat"),
        ((0, 0, 10, 10), (0, 20, 10, 30), "lies above the cat"),
        ((0, 20, 10, 30), (0, 0, 10, 10), "lies below the cat"),
        ((0, 0, 10, 10), (10, 0, 20, 10), "lies to the left of the cat"),
        ((0, 0, 10, 10), (15, 40, 25, 50), "lies above the cat"),
        ((0, 0, 10, 10), (5, 5, 15, 15), "overlaps the bounds of the cat"),
        ((5, 5, 10, 10), (0, 0, 15, 15), "lies within the bounds of the cat"),
        ((0, 0, 15, 15), (5, 5, 10, 10), "has the cat within its bounds"),
    ],
)
def test_how_a_region_lies_to_another_one(dog, cat, expected):
    regions = [AnnotatedRegion(dog, "dog"), AnnotatedRegion(cat, "cat")]
    assert about(Image.new("RGB", (60, 60)), regions, regions[0]).endswith(f"It {expected}.")


def test_neighbours_are_the_nearest_and_named_so_that_they_can_be_told():
    names = ["dog", "cat", "dog", "cat", "hen"]
    regions = [
        AnnotatedRegion((left, 0.0, left + 10, 10.0), name)
        for left, name in zip(range(0, 20 * len(names), 20), names, strict=True)
    ]
    captions = [about(Image.new("RGB", (100, 40)), regions, region) for region in regions]
    assert "It lies to the left of one cat and lies to the left of another dog." in captions[0]
    assert "It lies to the right of one cat and lies to the right of one dog." in captions[4]
    assert "the hen" in captions[3]


def test_without_neighbours_nothing_is_said_of_them():
    (region,) = regions = [AnnotatedRegion((0.0, 0.0, 60.0, 60.0), "dog")]
    assert about(Image.new("RGB", (60, 60), "red"), regions, region) == (
        "The dog is in the middle of the picture and takes up more than half of it. "
        "It looks mainly red. It is about as wide as tall."
    )


@pytest.mark.parametrize("colour", [(130, 128, 126), (172, 140, 108), (150, 158, 176)])
def test_no_colour_is_claimed_where_none_stands_out(colour):
    (region,) = regions = [AnnotatedRegion((10.0, 10.0, 50.0, 50.0), "dog")]
    caption = about(Image.new("RGB", (60, 60), colour), regions, region)
    assert "The colors within its bounds are muted or mixed." in caption
    half = Image.new("RGB", (60, 60), (208, 32, 38))
    half.paste((36, 78, 200), (0, 0, 60, 30))
    assert COLOUR.findall(about(half, regions, region)) == []


def test_pixels_of_other_boxes_do_not_count():
    pixels = np.full((60, 60, 3), 128, np.uint8)
    pixels[:, :40] = (36, 78, 200)
    pixels[:, 40:] = (208, 32, 38)
    picture = Image.fromarray(pixels)
    regions = [
        AnnotatedRegion((0.0, 0.0, 60.0, 60.0), "dog"),
        AnnotatedRegion((0.0, 0.0, 40.0, 60.0), "cat"),
    ]
    assert "It looks mainly red" in about(picture, regions, regions[0])
    assert "It looks mainly blue" in about(picture, regions, regions[1])


def test_images_as_a_whole(scenes):
    for picture, regions, _ in scenes:
        target = CaptionTarget(picture.width, picture.height, tuple(regions))
        caption = answer(target, encode_jpeg(picture, MAX_PIXELS))
        assert accept_caption(caption, "stop") == caption
        counts = Counter(region.category for region in regions)
        number = len(regions)
        assert caption.startswith(f"The picture shows {number} marked object{'s' * (number > 1)}: ")
        kinds = caption.partition(": ")[2].partition(".")[0]
        listed = re.split(", | and ", kinds)
        known = {name if count == 1 else f"{name} ({count})" for name, count in counts.items()}
        assert set(listed[:8]) <= known
        assert listed[8:] == ([f"{len(known) - 8} more"] if len(known) > 8 else [])
        if largest := re.search(r"The largest object is the (.+?) (?:in|on|at) ", caption):
            areas = {(r.bbox[2] - r.bbox[0]) * (r.bbox[3] - r.bbox[1]): r for r in regions}
            assert areas[max(areas)].category == largest[1]


def test_many_kinds_are_counted_not_listed():
    regions = [AnnotatedRegion((float(x), 0.0, x + 1.0, 1.0), f"kind {x:02}") for x in range(12)]
    caption = answer(
        CaptionTarget(60, 60, tuple(regions)), encode_jpeg(Image.new("RGB", (60, 60)), MAX_PIXELS)
    )
    assert "kind 06, kind 07 and 4 more." in caption
    assert "largest" not in caption
    nothing = answer(CaptionTarget(60, 60, ()), encode_jpeg(Image.new("RGB", (60, 60)), MAX_PIXELS))
    assert nothing == "No object is marked in the picture."


def test_a_caption_does_not_depend_on_the_order_of_regions(scenes):
    picture, regions, _ = scenes[2]
    assert about(picture, regions, regions[0]) == about(
        picture, list(reversed(regions)), regions[0]
    )


@pytest.mark.parametrize("box", [(5, 5, 5.01, 5.01), (0, 0, 60, 0.5), (59.9, 59.9, 60, 60)])
@pytest.mark.parametrize("context", [0.0, 1.5])
def test_boxes_thinner_than_a_pixel(box, context):
    regions = [AnnotatedRegion(box, "dog"), AnnotatedRegion((0, 0, 60, 60), "cat")]
    caption = about(Image.new("RGB", (60, 60), "red"), regions, regions[0], context)
    assert "It looks mainly red" in caption
