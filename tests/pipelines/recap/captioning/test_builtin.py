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
from pipelines.recap.captioning.captioner import Neighbour, Request, Subject
from pipelines.recap.captioning.colours import NAMES
from pipelines.sample_world.album import album
from pipelines.sample_world.scene import World
from pipelines.sample_world.shapes import COLOURS
from schemas.geometry import Box
from transforms.caption_checks import judge
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


def answer(subject: Subject, data: bytes, context: float = 0.0) -> str:
    request = Request(id="1", image_key=1, prompt="?", jpeg=data, max_tokens=99, subject=subject)
    return asyncio.run(BuiltinCaptioner(context).ask(request)).text


def about(picture: Image.Image, regions: list[Neighbour], region: Neighbour, context=0.0) -> str:
    subject = Subject(picture.width, picture.height, tuple(regions), region)
    return answer(subject, encode_jpeg(crop(picture, region.bbox, context), MAX_PIXELS), context)


@pytest.fixture(scope="module")
def scenes():
    """Pictures with their regions and the colours these were painted in."""
    found = []
    for shot in album("builtin", World(seed=3, pictures=240), {0: "grey", 1: "grey"}):
        with Image.open(BytesIO(shot.jpeg())) as opened:
            picture = opened.convert("RGB")
        regions = [Neighbour(thing.box, thing.shape) for thing in shot.scene.things]
        found.append((picture, regions, [thing.colour for thing in shot.scene.things]))
    return found


@pytest.fixture(scope="module")
def captions(scenes):
    """For every region: its picture, the regions, its index and its caption."""
    return [
        (picture, regions, index, about(picture, regions, region))
        for picture, regions, _ in scenes
        for index, region in enumerate(regions)
    ]


def test_colours_are_those_of_the_things(scenes):
    said = right = 0
    for context in (0.0, 0.5):
        for picture, regions, colours in scenes:
            for region, colour in zip(regions, colours, strict=True):
                found = COLOUR.findall(about(picture, regions, region, context))
                assert len(found) <= 1
                said += len(found)
                right += found == [colour]
    total = 2 * sum(len(regions) for _, regions, _ in scenes)
    assert total > 900
    assert said > 0.95 * total
    assert right > 0.99 * said


def test_every_colour_of_the_world_has_a_name():
    assert set(COLOURS) == set(NAMES)


def test_captions_are_captions(captions):
    for *_, caption in captions:
        assert judge(caption, "stop") == caption
        assert 15 < len(caption.split()) < 80
    assert len({caption for *_, caption in captions}) > 0.9 * len(captions)


def test_places_and_shares_are_those_of_the_boxes(captions):
    pattern = re.compile(r"The (.+?) is (.+?) of the picture and takes up (.+?)\. ")
    for picture, regions, index, caption in captions:
        found = pattern.match(caption)
        assert found is not None
        x0, y0, x1, y1 = regions[index].bbox
        share = (x1 - x0) * (y1 - y0) / (picture.width * picture.height)
        least, most = SHARES[found[3]]
        assert least <= share <= most
        assert found[1] == regions[index].category
        across, down = (x0 + x1) / 2 / picture.width, (y0 + y1) / 2 / picture.height
        assert ("left" in found[2]) == (across < 1 / 3)
        assert ("right" in found[2]) == (across >= 2 / 3)
        assert ("upper" in found[2] or "top" in found[2]) == (down < 1 / 3)
        assert ("lower" in found[2] or "bottom" in found[2]) == (down >= 2 / 3)


def test_forms_and_ranks_are_those_of_the_boxes(captions):
    said = Counter[str]()
    for _, regions, index, caption in captions:
        x0, y0, x1, y1 = regions[index].bbox
        assert ("clearly wider" in caption) == (x1 - x0 >= 1.5 * (y1 - y0))
        assert ("clearly taller" in caption) == (y1 - y0 >= 1.5 * (x1 - x0))
        areas = [(each.bbox[2] - each.bbox[0]) * (each.bbox[3] - each.bbox[1]) for each in regions]
        for word, best in (("largest", max(areas)), ("smallest", min(areas))):
            if word in caption:
                assert f"the {word} of {len(regions)} marked objects" in caption
                assert [at for at, area in enumerate(areas) if area == best] == [index]
                said[word] += 1
    assert min(said["largest"], said["smallest"]) > 50


def holds(relation: str, one: Box, two: Box) -> bool:
    """Tell whether a phrase is true of two boxes."""
    apart = {
        "lies to the left of": one[2] <= two[0],
        "lies to the right of": one[0] >= two[2],
        "lies above": one[3] <= two[1],
        "lies below": one[1] >= two[3],
    }
    if relation in apart:
        return apart[relation]
    shared = min(one[2], two[2]) > max(one[0], two[0]) and min(one[3], two[3]) > max(one[1], two[1])
    inside = one[0] >= two[0] and one[1] >= two[1] and one[2] <= two[2] and one[3] <= two[3]
    return shared and inside == (relation == "lies within the bounds of")


def test_relations_hold_of_boxes(captions):
    pattern = re.compile(
        r"(lies to the left of|lies to the right of|lies above|lies below|overlaps the bounds of"
        r"|lies within the bounds of) (the|one|another) (.+?)(?= and (?:lies|overlaps)|\.)"
    )
    said = Counter[str]()
    for _, regions, index, caption in captions:
        others = [each for at, each in enumerate(regions) if at != index]
        found = pattern.findall(caption)
        assert len(found) in ((0,) if not others else (1,) if len(others) == 1 else (1, 2))
        for relation, article, name in found:
            meant = [each for each in others if each.category == name]
            assert any(holds(relation, regions[index].bbox, each.bbox) for each in meant)
            assert (article == "the") == (len(meant) == 1 and name != regions[index].category)
            assert (article == "another") == (name == regions[index].category)
            said[relation] += 1
    assert len(said) >= 5


@pytest.mark.parametrize(
    ("one", "two", "expected"),
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
def test_how_a_region_lies_to_another_one(one, two, expected):
    regions = [Neighbour(one, "dog"), Neighbour(two, "cat")]
    assert about(Image.new("RGB", (60, 60)), regions, regions[0]).endswith(f"It {expected}.")


def test_neighbours_are_the_nearest_and_named_so_that_they_can_be_told():
    names = ["dog", "cat", "dog", "cat", "hen"]
    regions = [
        Neighbour((20.0 * at, 0.0, 20.0 * at + 10, 10.0), name) for at, name in enumerate(names)
    ]
    told = [about(Image.new("RGB", (100, 40)), regions, region) for region in regions]
    assert "It lies to the left of one cat and lies to the left of another dog." in told[0]
    assert "It lies to the right of one cat and lies to the right of one dog." in told[4]
    assert "the hen" in told[3]


def test_without_neighbours_nothing_is_said_of_them():
    (region,) = regions = [Neighbour((0.0, 0.0, 60.0, 60.0), "dog")]
    assert about(Image.new("RGB", (60, 60), "red"), regions, region) == (
        "The dog is in the middle of the picture and takes up more than half of it. "
        "It looks mainly red. It is about as wide as tall."
    )


@pytest.mark.parametrize("colour", [(130, 128, 126), (172, 140, 108), (150, 158, 176)])
def test_no_colour_is_claimed_where_none_stands_out(colour):
    (region,) = regions = [Neighbour((10.0, 10.0, 50.0, 50.0), "dog")]
    told = about(Image.new("RGB", (60, 60), colour), regions, region)
    assert "The colors within its bounds are muted or mixed." in told
    half = Image.new("RGB", (60, 60), (208, 32, 38))
    half.paste((36, 78, 200), (0, 0, 60, 30))
    assert COLOUR.findall(about(half, regions, region)) == []


def test_pixels_of_other_boxes_do_not_count():
    pixels = np.full((60, 60, 3), 128, np.uint8)
    pixels[:, :40] = (36, 78, 200)
    pixels[:, 40:] = (208, 32, 38)
    picture = Image.fromarray(pixels)
    regions = [Neighbour((0.0, 0.0, 60.0, 60.0), "dog"), Neighbour((0.0, 0.0, 40.0, 60.0), "cat")]
    assert "It looks mainly red" in about(picture, regions, regions[0])
    assert "It looks mainly blue" in about(picture, regions, regions[1])


def test_images_as_a_whole(scenes):
    for picture, regions, _ in scenes:
        subject = Subject(picture.width, picture.height, tuple(regions))
        told = answer(subject, encode_jpeg(picture, MAX_PIXELS))
        assert judge(told, "stop") == told
        counts = Counter(region.category for region in regions)
        number = len(regions)
        assert told.startswith(f"The picture shows {number} marked object{'s' * (number > 1)}: ")
        kinds = told.partition(": ")[2].partition(".")[0]
        listed = re.split(", | and ", kinds)
        known = {name if count == 1 else f"{name} ({count})" for name, count in counts.items()}
        assert set(listed[:8]) <= known
        assert listed[8:] == ([f"{len(known) - 8} more"] if len(known) > 8 else [])
        if largest := re.search(r"The largest object is the (.+?) (?:in|on|at) ", told):
            areas = {(r.bbox[2] - r.bbox[0]) * (r.bbox[3] - r.bbox[1]): r for r in regions}
            assert areas[max(areas)].category == largest[1]


def test_many_kinds_are_counted_not_listed():
    regions = [Neighbour((float(at), 0.0, at + 1.0, 1.0), f"kind {at:02}") for at in range(12)]
    told = answer(
        Subject(60, 60, tuple(regions)), encode_jpeg(Image.new("RGB", (60, 60)), MAX_PIXELS)
    )
    assert "kind 06, kind 07 and 4 more." in told
    assert "largest" not in told
    nothing = answer(Subject(60, 60, ()), encode_jpeg(Image.new("RGB", (60, 60)), MAX_PIXELS))
    assert nothing == "No object is marked in the picture."


def test_it_is_the_same_every_time_and_says_who_it_is(scenes):
    picture, regions, _ = scenes[2]
    assert about(picture, regions, regions[0]) == about(
        picture, list(reversed(regions)), regions[0]
    )
    captioner = BuiltinCaptioner()
    assert (captioner.model, captioner.sampling) == ("regionforge-builtin-1", {})
    asyncio.run(captioner.close())


@pytest.mark.parametrize("box", [(5, 5, 5.01, 5.01), (0, 0, 60, 0.5), (59.9, 59.9, 60, 60)])
@pytest.mark.parametrize("context", [0.0, 1.5])
def test_boxes_thinner_than_a_pixel(box, context):
    regions = [Neighbour(box, "dog"), Neighbour((0, 0, 60, 60), "cat")]
    told = about(Image.new("RGB", (60, 60), "red"), regions, regions[0], context)
    assert "It looks mainly red" in told
