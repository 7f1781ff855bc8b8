"""Pages: images come back as they were packed, in the order in which their shard stores them."""

import random

import msgspec
import pytest

from pipelines.shards.pages import (
    PAGE_BYTES,
    Packer,
    images_in_order,
    pack_image,
    pack_page,
    unpack_image,
)
from schemas.item import (
    CaptionProvenance,
    CaptionRef,
    Choices,
    DetailedCaption,
    Dialogue,
    Expression,
    GroundedCaption,
    Mention,
    Question,
    RegionCaption,
    Relationship,
    Round,
    YesNoQuestion,
)
from schemas.sample import LabelSet, Region, ScreenedImage

KEY = ("coco", "train", 0, 1)
PASSAGE = ("the ", Mention("cat", ("1", "2")), " sits")
CAPTION = RegionCaption("sentence", "A cat.", clip=0.5)
ITEMS = (
    Expression("a", "1", "a cat"),
    CaptionRef("b", "1"),
    DetailedCaption("c", "1", "A cat.", (CAPTION,), CaptionProvenance("m", "{}", None)),
    Relationship("d", "1", "beside", "2"),
    GroundedCaption("e", PASSAGE),
    Question("f", PASSAGE, ("yes",), (), Choices((PASSAGE, ("no",)), 1)),
    Dialogue("g", (Round("?", "!"),)),
    YesNoQuestion("h", "a cat?", True),
)


@pytest.fixture
def screened(make_image):
    """Makes an image with a region, whose segmentation has so many bytes."""

    def make(number: int, size: int = 10) -> ScreenedImage:
        image = make_image(image_id=str(number))
        region = Region(region_id="1", bbox=(0.1, 1.0, 2.0, 3.0), category="cat")
        return ScreenedImage(image, (region,), segmentations={"1": b"x" * size})

    return make


def test_an_image_comes_back_with_items_of_every_kind(screened):
    image = screened(7)
    whole = ScreenedImage(image.image, image.regions, ITEMS, LabelSet.of("Things", ("cat",)))
    for each in (image, whole):
        packed = pack_image(5, each)
        assert (packed.position, packed.image_id) == (5, "7")
        assert unpack_image(packed.content) == each


def test_all_images_share_the_names_of_their_label_set(make_image):
    labels = LabelSet.of("Things", ("cat", "owner's\nspelling", "half \ud800"))
    images = [ScreenedImage(make_image(image_id=name), (), label_set=labels) for name in "ab"]
    first, second = (unpack_image(pack_image(0, image).content).label_set for image in images)
    assert first
    assert second
    assert first.categories == ("cat", "owner's\nspelling", "half \N{REPLACEMENT CHARACTER}")
    assert first.categories is second.categories


def test_segmentations_of_regions_that_are_left_out_are_not_packed(screened):
    image = screened(7)
    more = ScreenedImage(image.image, image.regions, segmentations={"0": b"0", "1": b"1"})
    assert unpack_image(pack_image(0, more).content).segmentations == {"1": b"1"}


def test_images_come_in_order_however_they_lie_in_pages(screened):
    packed = [pack_image(number // 2, screened(number)) for number in range(20)]
    mixed = random.Random(0).sample(packed, len(packed))
    pages = [pack_page(mixed[:7]), pack_page([]), pack_page(mixed[7:])]
    ordered = sorted(packed, key=lambda image: (image.position, image.image_id))
    assert images_in_order(pages) == ordered


def test_a_page_is_full_at_its_number_of_bytes(screened):
    packer = Packer()
    pages = []
    for number in range(7):
        image = pack_image(number, screened(number, PAGE_BYTES * 2 // 5))
        pages.append(len(list(packer.add(KEY, image))))
    assert pages == [0, 0, 1, 0, 0, 1, 0]
    assert len(list(packer.rest())) == 1


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        (b"[[1.5, 2,\n 3]]", b"[[1.5,2,3]]"),
        (b'{"size": [1, 2], "counts": "a b"}', b'{"size":[1,2],"counts":"a b"}'),
        (b"[[NaN, 2]]", b"[[NaN, 2]]"),
    ],
)
def test_blanks_of_segmentations_are_not_packed(screened, text, packed):
    image = msgspec.structs.replace(screened(1), segmentations={"1": text})
    assert unpack_image(pack_image(5, image).content).segmentations == {"1": packed}
