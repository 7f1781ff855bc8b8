"""The division of a large file in COCO's layout: many workers read it, and each byte is read once.

    file       {"images": [...], "annotations": [{...}, {...}, {...}, {...}, {...}], ...}
    slices                                      |-----------------|  |----------|
    bins       the images, and the annotations of each slice, dealt out by the ids of the images

One worker reads images and categories, and cuts the list of annotations between two of its items.
Each slice is then read by one worker, and each bin by one, with all annotations of its images.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import NamedTuple

import msgspec

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.layout import (
    Head,
    Identify,
    Layout,
    Opened,
    annotated_images,
    open_layout,
)
from pipelines.datasets.coco.records import CocoAnnotation, Undecoded
from pipelines.datasets.common.bins import Division, bin_of, collected, in_bins, number_of_bins
from pipelines.datasets.common.entries import rejection, rejections
from pipelines.datasets.common.index import (
    RAWS,
    FileIndex,
    Indexes,
    StoredItems,
    decoded_items,
    index_of,
)
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.json_decoding import decode
from schemas.rejection import Kind, Rejection
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SplitInput, Store

_LISTS = ("images", "annotations", "categories")


class CocoSlice(msgspec.Struct, frozen=True):
    """Consecutive annotations of a file."""

    split: SplitInput
    start: int  # the first byte in the file
    end: int  # the byte after the last one
    first: int  # the number of annotations before it
    bins: int

    def deal_out(self, store: Store) -> Iterator[tuple[int, bytes] | Rejection]:
        """Yield the numbers of bins with their annotations, as JSON without brackets.

        Raises:
            InputFileError: the file cannot be read, or is no longer what it was.
        """
        content = store.read_range(self.split.file, self.start, self.end)
        raws = decoded_items(content, self.split.file)
        bins: list[list[Raw]] = [[] for _ in range(self.bins)]
        refused: list[tuple[int, Exception]] = []
        for number, raw in zip(_bins_of(content, raws, self.bins, refused), raws, strict=True):
            if number is not None:
                bins[number].append(raw)
        for position, error in refused:
            name = f"annotations[{self.first + position}]"
            yield rejection(self.split, Kind.ANNOTATION, name, malformed(error))
        for number, several in enumerate(bins):
            if several:
                yield number, b",".join(several)


class CocoBin(NamedTuple):
    """Some images of a file, without their annotations; the images are packed apart."""

    split: SplitInput
    number: int  # from 0
    opened: Opened  # of these images, but for `usable`
    identify: Identify | None  # the layout's

    def read(self, store: Store, content: bytes, dealt: Iterable[bytes]) -> Iterator[Entry]:
        """Yield the entries of the images, from what all slices dealt out."""
        del store
        text = b"[%b]" % b",".join(dealt)
        items: Sequence[Undecoded]
        if self.identify:
            raws: list[Raw] = decode(RAWS, text)
            items, repeated = self.identify(raws)
            yield Count(Kind.ANNOTATION, "read", len(repeated))
            yield from rejections(self.split, Kind.ANNOTATION, repeated)
        else:
            items = _decoded(text)
        groups, refused = coco_json.group_annotations(items)
        assert not refused, "annotations without an image are in no bin"
        opened = self.opened._replace(usable=_unpacked(content))
        yield from annotated_images(self.split, groups, opened)


class _ImageId(msgspec.Struct, gc=False):
    image_id: int


_SOUND = msgspec.json.Decoder(list[CocoAnnotation])
_IMAGES = msgspec.msgpack.Decoder(list[tuple[bool, ImageInfo]])
_IMAGE_IDS = msgspec.json.Decoder(list[_ImageId])


def divide_coco_layout(
    split: SplitInput,
    store: Store,
    parts: int,
    layout: Layout,
    indexes: Indexes,
) -> Division | None:
    """Return a file that is divided for a number of workers; None where it must be read whole.

    That is a file that is small, packed, or not sound.

    Args:
        split: the split.
        store: the store of its files.
        parts: the number of workers.
        layout: what its data set has of its own.
        indexes: the indexes that are known.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    path = split.file
    index = indexes[path] if path in indexes else index_of(path, store, _LISTS)
    if index is None:
        return None
    head = _head(path, store, index)
    entries: list[Entry] = []
    opened = collected(open_layout(split, store, head, layout), entries)
    annotations = index.lists["annotations"]
    size = sum(part.end - part.start for part in annotations)
    bins = number_of_bins(parts, size)
    pieces = [CocoSlice(split, part.start, part.end, part.first, bins) for part in annotations]
    return Division(entries, _bins(split, opened, bins, layout.identify), pieces)


def _head(path: str, store: Store, index: FileIndex) -> Head:
    images, categories = (
        StoredItems(path, store, index.lists[name]) for name in ("images", "categories")
    )
    licenses = index.others.get("licenses")
    licences = Raw(store.read_range(path, *licenses) if licenses else b"[]")
    return Head(images, list(categories), licences, index.number("annotations"))


def _decoded(annotations: bytes) -> Sequence[Undecoded]:
    """Return a list that has all annotations of its images: all of them decoded, or none."""
    with suppress(msgspec.DecodeError):
        decoded = decode(_SOUND, annotations)
        if coco_json.are_identified(decoded):
            return decoded
    return decode(RAWS, annotations)


def _bins(
    split: SplitInput, opened: Opened, number: int, identify: Identify | None
) -> Iterator[tuple[CocoBin, bytes]]:
    """Yield the images of a file in so many bins, packed."""
    usable = in_bins(opened.usable, number)
    refused: list[list[str]] = [[] for _ in range(number)]
    for name in opened.refused:
        refused[bin_of(as_number(name), number)].append(name)
    for bin_number, (images, names) in enumerate(zip(usable, refused, strict=True)):
        some = _some(opened, images.keys(), names)
        yield CocoBin(split, bin_number, some, identify), _packed(images)


def _some(opened: Opened, images: Set[ItemId], refused: Sequence[str]) -> Opened:
    """Return what is opened of some images, but for the images themselves."""
    return opened._replace(
        usable={},
        chosen=opened.chosen & images,
        refused=refused,
        classes={item_id: opened.classes[item_id] for item_id in opened.classes.keys() & images},
    )


def _packed(images: Mapping[ItemId, ImageInfo]) -> bytes:
    return msgspec.msgpack.encode(
        [(isinstance(item_id, int), image) for item_id, image in images.items()]
    )


def _unpacked(packed: bytes) -> dict[ItemId, ImageInfo]:
    images = _IMAGES.decode(packed)
    return {int(image.image_id) if number else image.image_id: image for number, image in images}


def _bins_of(
    content: bytes, raws: Sequence[Raw], bins: int, refused: list[tuple[int, Exception]]
) -> Sequence[int | None]:
    """Return the numbers of the bins of annotations, None for those that are refused."""
    with suppress(msgspec.DecodeError):
        return [item.image_id % bins for item in decode(_IMAGE_IDS, b"[%b]" % content)]
    numbers: list[int | None] = []
    for position, raw in enumerate(raws):
        try:
            numbers.append(bin_of(coco_json.link_of(raw).image_id, bins))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((position, error))
            numbers.append(None)
    return numbers
