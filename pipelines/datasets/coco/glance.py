"""The quick look at a user's own annotations, before a build: whether they are what they seem.

Labelling tools mark single objects as crowds, write boxes as shares of the picture, and repeat
boxes or pictures. All of that is well formed, and would come out as nothing or as nonsense.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter

import msgspec
import numpy as np

from pipelines.datasets.coco import lenient
from pipelines.datasets.coco.records import CocoImage, decode_outline
from pipelines.datasets.common.raw_items import ItemId, Raw
from schemas.counted import counted
from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.source import SplitInput

_LOOKED_AT = 50_000  # annotations that are read one by one, where they cannot be read at once
_MANY_CROWDS = 0.05  # share of annotations; COCO's own files have 0.012
_TINY = 2  # pixels


class _Glimpse(msgspec.Struct, gc=False):
    image_id: ItemId
    category_id: ItemId
    bbox: lenient.Sides
    iscrowd: int | bool = 0


class GlimpsedFile(msgspec.Struct):
    """A whole file of which the annotations are decoded as far as the quick look needs."""

    images: list[Raw]
    annotations: list[_Glimpse]
    categories: list[Raw]


_FILE = msgspec.json.Decoder(GlimpsedFile)
_GLIMPSES = msgspec.json.Decoder(list[_Glimpse])
_ITEMS = msgspec.json.Decoder(list[Raw])
_BOXED = attrgetter("image_id", "category_id", "bbox")


def glimpse(content: bytes, path: str) -> GlimpsedFile:
    """Return what the quick look reads of a user's own file: of many odd annotations, a sample.

    Raises:
        InputFileError: the content is no JSON, or lacks COCO's lists; the message names the place.
    """
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return decode(_FILE, content)  # at once, as nearly every file can be read
    outline = decode_outline(content, path)
    return GlimpsedFile(outline.images, _glimpses(outline.annotations), outline.categories)


def glance(
    split: SplitInput, file: GlimpsedFile, images: msgspec.json.Decoder[CocoImage]
) -> tuple[str, ...]:
    """Return remarks on a user's own file, a line each.

    Args:
        split: the split.
        file: what was read of its file.
        images: decodes an item of `images`.

    Raises:
        InputFileError: all boxes are crowds, or shares of their pictures.
    """
    glimpses = file.annotations
    remarks = [
        *_crowds(split, glimpses),
        *_sizes(split, glimpses),
        *_repeated_boxes(glimpses),
        *_repeated_pictures(file.images, images),
    ]
    return tuple(f"{split.file}: {remark}" for remark in remarks)


def _glimpses(annotations: Raw) -> list[_Glimpse]:
    """Return what can be read of the annotations; of many odd ones, a sample."""
    try:
        return decode(_GLIMPSES, annotations)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return list(_read_leniently(annotations))


def _read_leniently(annotations: Raw) -> Iterator[_Glimpse]:
    try:
        items = decode(_ITEMS, annotations)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # the read stage names the fault
    for raw in items[:: len(items) // _LOOKED_AT + 1]:
        try:
            fields = lenient.read_fields(raw)
            yield _Glimpse(
                lenient.require_id(fields, "image_id"),
                lenient.require_id(fields, "category_id"),
                lenient.read_box(fields)[0],
                lenient.read_flag(fields, "iscrowd"),
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _crowds(split: SplitInput, glimpses: Sequence[_Glimpse]) -> Iterator[str]:
    """Yield a remark on many crowds, or raise `InputFileError` where there is nothing else."""
    crowds = sum(bool(glimpse.iscrowd) for glimpse in glimpses)
    if split.crowds is not None or crowds <= _MANY_CROWDS * len(glimpses):
        return
    remedy = (
        "marked `iscrowd`, as labelling tools mark objects drawn with a brush; crowds are left "
        "out. If each of them is one object, take them with --coco-crowds objects."
    )
    if crowds == len(glimpses):
        raise InputFileError(
            f"{split.file}: all {crowds:,} annotations are {remedy} If not, there is nothing else "
            "to build from."
        )
    yield f"{crowds:,} of {len(glimpses):,} annotations are {remedy}"


def _sizes(split: SplitInput, glimpses: Sequence[_Glimpse]) -> Iterator[str]:
    """Yield a remark on boxes that are mostly tiny, or raise `InputFileError` for shares of 1."""
    boxes = [glimpse.bbox for glimpse in glimpses]
    tiny = sum(
        width is not None and height is not None and (width < _TINY or height < _TINY)
        for _, _, width, height in boxes
    )
    if 2 * tiny <= len(boxes):
        return
    where = "shares of the picture's width and height, where the format has pixels"
    remedy = "multiply them by the sides of their pictures, or export them in pixels"
    if all(map(_is_share, boxes)):
        raise InputFileError(
            f"{split.file}: all {len(boxes):,} boxes lie between 0 and 1. They are {where}: "
            f"{remedy}."
        )
    yield (
        f"{tiny:,} of {len(boxes):,} boxes are less than {_TINY} pixels wide or high. If they are "
        f"{where}, {remedy}."
    )


def _is_share(box: lenient.Sides) -> bool:
    return all(side is not None and 0 <= side <= 1 for side in box)


def _repeated_boxes(glimpses: Sequence[_Glimpse]) -> Iterator[str]:
    hashes = np.fromiter(map(hash, map(_BOXED, glimpses)), np.int64, len(glimpses))
    hashes.sort()
    if repeated := np.count_nonzero(hashes[1:] == hashes[:-1]):
        yield (
            f"{repeated:,} annotations have the picture, the category and the box of another one. "
            "All are kept, for their ids differ; leave out those that are no objects of their own."
        )


def _repeated_pictures(
    items: Sequence[Raw], images: msgspec.json.Decoder[CocoImage]
) -> Iterator[str]:
    names = []
    for raw in items:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            names.append(lenient.read_item(raw, images).file_name)
    repeated = sorted(name for name, number in Counter(names).items() if number > 1)
    if repeated:
        yield (
            f"{counted(len(repeated), 'picture')} with several ids, e.g. {repeated[0]}; each id is "
            "kept as an image of its own."
        )
