"""Pictures in which regions are marked: outlines around them, numbers beside, all else dark."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipelines.recap.captioning.marked import (
    MARKS,
    MarkedRegion,
    MarkOptions,
    mark_of,
    marked_pictures,
    marks_beside,
)
from pipelines.recap.captioning.outlines import dimmed, numbered, outlined, shape_of
from schemas.mask import BoolImage, from_pixels

WIDTH, HEIGHT = 120, 80
GROUND = (90, 120, 60)
VIEW = (0, 0, WIDTH, HEIGHT)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
DISC: BoolImage = (COLUMNS - 60) ** 2 + (ROWS - 40) ** 2 < 20**2
ROUND = MarkedRegion((40.0, 20.0, 80.0, 60.0), from_pixels(DISC))
SQUARE = MarkedRegion((8.0, 8.0, 24.0, 24.0), None)


def ground(size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    return Image.new("RGB", size, GROUND)


def drawn(picture: Image.Image) -> BoolImage:
    """The pixels that are no longer of the ground."""
    changed: BoolImage = (np.asarray(picture) != GROUND).any(axis=2)
    return changed


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(BytesIO(jpeg))


@pytest.mark.parametrize("region", [ROUND, SQUARE])
def test_an_outline_runs_around_a_region_and_hides_nothing_of_it(region):
    shape = shape_of(region.box, region.patch, VIEW, (WIDTH, HEIGHT))
    lines = drawn(outlined(ground(), [shape]))
    assert lines.any()
    assert not (lines & shape).any()
    grown = np.pad(shape, 1)
    around = np.stack(
        [grown[1 + y : 81 + y, 1 + x : 121 + x] for x in (-1, 0, 1) for y in (-1, 0, 1)]
    ).any(axis=0)
    assert lines[around & ~shape].all(), "it is closed"


def test_an_outline_is_seen_on_every_ground_and_has_no_colour():
    shape = shape_of(SQUARE.box, None, VIEW, (WIDTH, HEIGHT))
    for value in (0, 128, 255):
        picture = np.asarray(outlined(Image.new("RGB", (WIDTH, HEIGHT), (value,) * 3), [shape]))
        assert (picture == picture[..., :1]).all()
        assert abs(picture.astype(int) - value).max() > 100


def test_a_mask_is_drawn_at_the_size_at_which_it_is_shown():
    half = shape_of(ROUND.box, ROUND.patch, VIEW, (WIDTH // 2, HEIGHT // 2))
    assert half.sum() == pytest.approx(DISC.sum() / 4, rel=0.05)
    part = shape_of(ROUND.box, ROUND.patch, (60, 0, WIDTH, HEIGHT), (60, HEIGHT))
    assert (part == DISC[:, 60:]).all()
    empty = from_pixels(np.zeros((HEIGHT, WIDTH), bool))
    assert (
        shape_of(SQUARE.box, MarkedRegion(SQUARE.box, empty).patch, VIEW, (WIDTH, HEIGHT)).sum()
        == 16 * 16
    ), "its box"


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (VIEW, (77, 51)),
        (VIEW, (WIDTH, HEIGHT)),
        ((70, 30, 115, 75), (31, 31)),
        ((0, 0, 60, 40), (230, 150)),
        ((90, 0, WIDTH, 30), (60, 60)),
    ],
)
def test_a_patch_is_shown_as_all_of_the_mask_would_be(view, size):
    random = np.random.default_rng(7)
    for _ in range(20):
        middle = random.integers((WIDTH, HEIGHT))
        mask: BoolImage = np.hypot(COLUMNS - middle[0], ROWS - middle[1]) < random.integers(1, 40)
        x0, y0, x1, y1 = view
        part = Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8) * 255)
        whole = np.asarray(part.resize(size, Image.Resampling.BOX)) > 127
        if whole.any():
            region = MarkedRegion((0.0, 0.0, 1.0, 1.0), from_pixels(mask))
            differ = shape_of(region.box, region.patch, view, size) != whole
            assert differ.sum() <= 0.002 * whole.size, "but for pixels that are half covered"


def test_numbers_stand_outside_of_regions_and_apart():
    boxes = [(30.0, 30.0, 60.0, 60.0), (62.0, 30.0, 90.0, 60.0), (0.0, 0.0, 118.0, 79.0)]
    shapes = [shape_of(box, None, VIEW, (WIDTH, HEIGHT)) for box in boxes]
    lines = drawn(numbered(ground(), shapes)) & ~drawn(outlined(ground(), shapes))
    assert lines.any()
    assert not (lines & (shapes[0] | shapes[1])).any()
    alone = drawn(numbered(ground(), shapes[2:]))
    assert alone.any(), "one that fills the picture has a number, too"


def test_all_but_the_region_is_dark():
    picture = np.asarray(dimmed(ground(), DISC))
    assert (picture[DISC] == GROUND).all()
    assert (picture[~DISC] < np.array(GROUND) / 2).all()


def pictures(regions, views="both", context=0.5):
    return marked_pictures(ground(), regions, MarkOptions(views, context, 512 * 512))


@pytest.mark.parametrize("views", ["both", "both-masked"])
def test_all_calls_about_a_picture_begin_with_the_same_bytes(views):
    sent = pictures([ROUND, SQUARE], views)
    assert [len(each) for each in sent] == [2, 2]
    assert sent[0][0] == sent[1][0]
    assert sent[0][1].jpeg != sent[1][1].jpeg
    whole = np.abs(np.asarray(opened(sent[0][0].jpeg)).astype(int) - GROUND).max(axis=2) > 60
    assert whole[40, 16:20].any() or whole[38:42, 80:84].any(), "the round one is marked"
    assert whole[12:20, 24:28].any(), "the square is marked, too"
    assert [each[1].name for each in sent] == [
        "A closer view of the object marked 1:",
        "A closer view of the object marked 2:",
    ]


def test_the_whole_picture_alone():
    sent = pictures([ROUND, SQUARE], "whole")
    assert sent == [(sent[0][0],)] * 2
    assert opened(sent[0][0].jpeg).size == (WIDTH, HEIGHT)


def test_many_regions_have_several_copies_of_the_picture():
    boxes = [
        MarkedRegion((10.0 * k % 110, 5.0, 10.0 * k % 110 + 8, 20.0), None)
        for k in range(2 * MARKS + 1)
    ]
    sent = pictures(boxes)
    copies = [each[0].jpeg for each in sent]
    assert len(set(copies)) == 3
    assert len(set(copies[:MARKS])) == len(set(copies[MARKS : 2 * MARKS])) == 1
    assert [mark_of(k) for k in (0, MARKS - 1, MARKS, 2 * MARKS)] == [1, MARKS, 1, 1]
    assert list(marks_beside(MARKS + 3)) == list(range(MARKS, 2 * MARKS))


def test_a_close_up_shows_what_is_around():
    near, far = (opened(pictures([ROUND], context=each)[0][1].jpeg) for each in (0, 2))
    assert near.size == (224, 224)
    assert far.size == (336, 224), "all of the picture"


def test_what_is_dark_in_a_close_up_is_outside_of_the_mask():
    (sent,) = pictures([ROUND], "both-masked", 0.25)
    close = np.asarray(opened(sent[1].jpeg)).astype(int)
    middle, corner = close[close.shape[0] // 2, close.shape[1] // 2], close[2, 2]
    assert abs(middle - GROUND).max() < 12
    assert (corner < np.array(GROUND) / 2).all()
