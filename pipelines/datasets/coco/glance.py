"""The quick look at a user's own annotations, before a build: whether they are what they seem.

Labelling tools mark single objects as crowds, write boxes as shares of the picture, and repeat
boxes or pictures. All of that is well formed, and would come out as nothing or as nonsense.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.coco import lenient
from pipelines.datasets.coco.records import CocoImage, decode_outline
from pipelines.datasets.common.index import (
    RAWS,
    FileIndex,
    Reader,
    StoredItems,
    collector,
    read_index,
)
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.common.text_files import as_text
from schemas.counted import counted
from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.source import SplitInput, Store

_LOOKED_AT = 50_000  # annotations that are read one by one, where they cannot be read at once
_MANY_CROWDS = 0.05  # share of annotations; COCO's own files have 0.012
_TINY = 2  # pixels


class _Glimpse(msgspec.Struct, gc=False):
    image_id: ItemId
    category_id: ItemId
    bbox: lenient.Sides
    iscrowd: int | bool = 0


class _File(msgspec.Struct):
    images: list[Raw]
    annotations: list[_Glimpse]
    categories: list[Raw]


class GlimpsedFile(NamedTuple):
    """What the quick look reads of a whole file."""

    images: Sequence[Raw]
    categories: Sequence[Raw]
    annotations: "_Sum"
    indexed: FileIndex | None  # None: the file must be read as a whole


@dataclass(slots=True)
class _Sum:
    """What counts of many annotations; a large file has millions of them."""

    number: int = 0
    crowds: int = 0
    tiny: int = 0  # their boxes
    shares: int = 0  # boxes between 0 and 1
    hashes: list[NDArray[np.int64]] = field(default_factory=list)  # of image, category and box
    odd: bool = False  # some were left out, which cannot be read at once

    def add(self, glimpses: Sequence[_Glimpse] | None) -> None:
        """Add some annotations; None: they cannot be read at once."""
        if glimpses is None:
            self.odd = True
            return
        boxes = [glimpse.bbox for glimpse in glimpses]
        self.number += len(glimpses)
        self.crowds += sum(bool(glimpse.iscrowd) for glimpse in glimpses)
        tiny = [box for box in boxes if _is_tiny(box)]
        self.tiny += len(tiny)
        self.shares += sum(map(_is_share, tiny))
        self.hashes.append(np.fromiter(map(hash, map(_BOXED, glimpses)), np.int64, len(glimpses)))


_FILE = msgspec.json.Decoder(_File)
_GLIMPSES = msgspec.json.Decoder(list[_Glimpse])
_BOXED = attrgetter("image_id", "category_id", "bbox")


def glimpse(split: SplitInput, store: Store) -> GlimpsedFile:
    """Return what the quick look reads of a user's own file: of many odd annotations, a sample.

    Raises:
        InputFileError: the file is no JSON, or lacks COCO's lists; the message names the place.
    """
    path = split.file
    images: list[Raw] = []
    categories: list[Raw] = []
    annotations = _Sum()
    readers: Mapping[str, Reader[Any]] = {
        "images": collector(images),
        "annotations": Reader(_GLIMPSES, annotations.add),
        "categories": collector(categories),
    }
    index = read_index(path, store, readers)
    if isinstance(index, bytes):
        return _glimpse_whole(as_text(index, path), path)
    if annotations.odd:
        step = index.number("annotations") // _LOOKED_AT + 1
        annotations = _Sum()
        for part in index.lists["annotations"]:
            items = list(StoredItems(path, store, [part]))
            annotations.add(list(_read_leniently(items[-part.first % step :: step])))
    return GlimpsedFile(images, categories, annotations, index)


def _glimpse_whole(content: bytes, path: str) -> GlimpsedFile:
    with suppress(msgspec.DecodeError):
        file = decode(_FILE, content)
        summed = _Sum()
        summed.add(file.annotations)
        return GlimpsedFile(file.images, file.categories, summed, None)
    outline = decode_outline(content, path)
    summed = _Sum()
    with suppress(msgspec.DecodeError):  # the read stage names the fault
        items = decode(RAWS, outline.annotations)
        summed.add(list(_read_leniently(items[:: len(items) // _LOOKED_AT + 1])))
    return GlimpsedFile(outline.images, outline.categories, summed, None)


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
    annotations = file.annotations
    remarks = [
        *_crowds(split, annotations),
        *_sizes(split, annotations),
        *_repeated_boxes(annotations),
        *_repeated_pictures(file.images, images),
    ]
    return tuple(f"{split.file}: {remark}" for remark in remarks)


def _read_leniently(items: Iterable[Raw]) -> Iterator[_Glimpse]:
    for raw in items:
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


def _crowds(split: SplitInput, annotations: _Sum) -> Iterator[str]:
    """Yield a remark on many crowds, or raise `InputFileError` where there is nothing else."""
    number, crowds = annotations.number, annotations.crowds
    if split.crowds is not None or crowds <= _MANY_CROWDS * number:
        return
    remedy = (
        "marked `iscrowd`, as labelling tools mark objects drawn with a brush; crowds are left "
        "out. If each of them is one object, take them with --coco-crowds objects."
    )
    if crowds == number:
        raise InputFileError(
            f"{split.file}: all {crowds:,} annotations are {remedy} If not, there is nothing else "
            "to build from."
        )
    yield f"{crowds:,} of {number:,} annotations are {remedy}"


def _sizes(split: SplitInput, annotations: _Sum) -> Iterator[str]:
    """Yield a remark on boxes that are mostly tiny, or raise `InputFileError` for shares of 1."""
    number, tiny = annotations.number, annotations.tiny
    if 2 * tiny <= number:
        return
    where = "shares of the picture's width and height, where the format has pixels"
    remedy = "multiply them by the sides of their pictures, or export them in pixels"
    if annotations.shares == number:
        raise InputFileError(
            f"{split.file}: all {number:,} boxes lie between 0 and 1. They are {where}: {remedy}."
        )
    yield (
        f"{tiny:,} of {number:,} boxes are less than {_TINY} pixels wide or high. If they are "
        f"{where}, {remedy}."
    )


def _is_tiny(box: lenient.Sides) -> bool:
    _, _, width, height = box
    return width is not None and height is not None and (width < _TINY or height < _TINY)


def _is_share(box: lenient.Sides) -> bool:
    return all(side is not None and 0 <= side <= 1 for side in box)


def _repeated_boxes(annotations: _Sum) -> Iterator[str]:
    hashes = np.concatenate([np.empty(0, np.int64), *annotations.hashes])
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
