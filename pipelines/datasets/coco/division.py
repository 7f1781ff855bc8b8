"""The division of a large file in COCO's layout: many workers read it, and each byte is read once.

    file       {"images": [...], "annotations": [{...}, {...}, {...}, {...}, {...}], ...}
    slices                                      |-----------------|  |----------|
    bins       the images, and the annotations of each slice, dealt out by the ids of the images

One worker reads images and categories, and cuts the list of annotations between two of its items.
Each slice is then read by one worker, and each bin by one, with all annotations of its images.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.layout import Head, Layout, Opened, annotated_images, open_layout
from pipelines.datasets.coco.records import CocoAnnotation, Undecoded
from pipelines.datasets.common import slices
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
from pipelines.datasets.common.slices import Span, sliced, start_in
from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.rejection import Kind, Rejection
from schemas.sample import ImageInfo
from schemas.source import Entry, SplitInput, Store, part_of

_BIN_BYTES = 32 * 1024 * 1024  # of annotations, approximately


class Slice(msgspec.Struct, frozen=True):
    """Consecutive annotations of a file."""

    split: SplitInput
    start: int  # the first byte in the file
    end: int  # the byte after the last one
    first: int  # the number of annotations before it
    bins: int


class Bin(NamedTuple):
    """Some images of a file, without their annotations."""

    split: SplitInput
    number: int  # from 0
    opened: Opened


class Division(NamedTuple):
    """A divided file."""

    entries: Sequence[Entry]  # of the file as a whole
    slices: Sequence[Slice]
    bins: Sequence[Bin]


class _Outline(msgspec.Struct):
    images: list[Raw]
    annotations: Raw
    categories: list[Raw]
    licenses: Raw = Raw(b"[]")


class _ImageId(msgspec.Struct, gc=False):
    image_id: int


_OUTLINE = msgspec.json.Decoder(_Outline)
_ITEMS = msgspec.json.Decoder(list[Raw])
_SOUND = msgspec.json.Decoder(list[CocoAnnotation])
_IMAGE_IDS = msgspec.json.Decoder(list[_ImageId])


def divide_coco_layout(
    split: SplitInput, store: Store, parts: int, layout: Layout
) -> Division | None:
    """Return a file that is divided for a number of workers; None where it must be read whole.

    That is a file that is small, packed, or not sound.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    content = store.read(split.file)
    outline = _outlined(content)
    spans = outline and _spans(content, outline.annotations)
    if outline is None or not spans:
        return None
    number = sum(count for _, count in spans)
    head = Head(outline.images, outline.categories, outline.licenses, number)
    entries: list[Entry] = []
    opened = _collected(open_layout(split, store, head, layout), entries)
    bins = max(2 * parts, len(outline.annotations) // _BIN_BYTES)
    pieces, first = [], 0
    for span, count in spans:
        pieces.append(Slice(split, span.start, span.end, first, bins))
        first += count
    return Division(entries, pieces, _bins(split, opened, bins))


def deal_out(piece: Slice, content: bytes) -> Iterator[tuple[int, bytes] | Rejection]:
    """Yield the annotations of a slice by the numbers of their bins, as JSON without brackets.

    Args:
        piece: the slice.
        content: its bytes.

    Raises:
        InputFileError: the file is no longer what it was.
    """
    listed = b"[%b]" % content
    try:
        raws = decode(_ITEMS, listed)
    except msgspec.DecodeError:
        raise InputFileError(
            f"{piece.split.file} was changed while it was read: run the same command again"
        ) from None
    bins: dict[int, list[Raw]] = defaultdict(list)
    refused: list[tuple[int, Exception]] = []
    for image_id, raw in zip(_image_ids(listed, raws, refused), raws, strict=True):
        if image_id is not None:
            bins[part_of(str(image_id), piece.bins)].append(raw)
    for position, error in refused:
        name = f"annotations[{piece.first + position}]"
        yield rejection(piece.split, Kind.ANNOTATION, name, malformed(error))
    for number, several in bins.items():
        yield number, b",".join(several)


def read_bin(some: Bin, annotations: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries of a bin, from what `deal_out` made of all slices for it."""
    items = _decoded(b"[%b]" % b",".join(annotations))
    groups, refused = coco_json.group_annotations(items, some.split)
    assert not refused, "annotations without an image are in no bin"
    yield from annotated_images(some.split, groups, some.opened)


def _decoded(annotations: bytes) -> Sequence[Undecoded]:
    """Return a list that has all annotations of its images: all of them decoded, or none."""
    with suppress(msgspec.DecodeError):
        decoded = decode(_SOUND, annotations)
        if coco_json.are_identified(decoded):
            return decoded
    return decode(_ITEMS, annotations)


def _outlined(content: bytes) -> _Outline | None:
    """Return a file with its annotations undecoded; None if it is small, packed or not sound."""
    if len(content) < slices.SLICE_BYTES:
        return None
    try:
        return decode(_OUTLINE, content)
    except msgspec.DecodeError:
        return None


def _spans(content: bytes, annotations: Raw) -> list[tuple[Span, int]] | None:
    """Return each slice in the file with its number of items; None: it must be read whole."""
    if len(annotations) < slices.SLICE_BYTES:
        return None
    start = start_in(content, annotations)
    try:
        return [
            (Span(start + span.start, start + span.end), len(items))
            for span, items in sliced(annotations, _ITEMS)
        ]
    except msgspec.DecodeError:
        return None


def _bins(split: SplitInput, opened: Opened, number: int) -> list[Bin]:
    """Return the images of a file in so many bins."""
    usable: list[dict[ItemId, ImageInfo]] = [{} for _ in range(number)]
    for item_id, image in opened.usable.items():
        usable[part_of(str(item_id), number)][item_id] = image
    refused: list[list[str]] = [[] for _ in range(number)]
    for name in opened.refused:
        refused[part_of(name, number)].append(name)
    return [
        Bin(split, bin_number, _some(opened, images, names))
        for bin_number, (images, names) in enumerate(zip(usable, refused, strict=True))
    ]


def _some(opened: Opened, images: Mapping[ItemId, ImageInfo], refused: Sequence[str]) -> Opened:
    """Return what is opened of some images."""
    return opened._replace(
        usable=images,
        chosen=opened.chosen & images.keys(),
        refused=refused,
        classes={item_id: opened.classes[item_id] for item_id in opened.classes.keys() & images},
    )


def _image_ids(
    listed: bytes, raws: Sequence[Raw], refused: list[tuple[int, Exception]]
) -> Iterator[ItemId | None]:
    """Yield the ids of the images of annotations, None for those that are refused."""
    with suppress(msgspec.DecodeError):
        yield from [item.image_id for item in decode(_IMAGE_IDS, listed)]
        return
    for position, raw in enumerate(raws):
        try:
            yield coco_json.link_of(raw).image_id
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((position, error))
            yield None


def _collected(opening: Generator[Entry, None, Opened], entries: list[Entry]) -> Opened:
    """Append what is yielded to a list, and return what is returned."""
    while True:
        try:
            entries.append(next(opening))
        except StopIteration as end:
            opened: Opened = end.value
            return opened
