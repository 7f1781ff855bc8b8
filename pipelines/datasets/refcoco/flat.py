"""RefCOCO in a flat form: a JSON list with a record for each sentence of one split.

    [{"img_id": "COCO_train2014_000000580957_4", "sents": "dish in top right corner",
      "bbox": [468.3, 0.91, 171.7, 116.12],          x, y, width, height; pixels, 0-based
      "height": 428, "width": 640}, ...]

`img_id` is the file name of a ref without suffix: COCO's name, and the number of the ref in the
picture. Boxes have no ids and no categories; a box is identified by its numbers. An image has only
the boxes that sentences refer to. Sentences have no ids; a sentence is identified by a ref and the
position among the sentences of the ref in alphabetical order.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipelines.datasets.coco.categories import read_categories
from pipelines.datasets.coco.pictures import find_picture, list_pictures
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejections,
)
from pipelines.datasets.common.lenient_json import decode_json, decode_whole
from pipelines.datasets.common.packed import Opening
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.refcoco.absent import AbsentExpressions
from pipelines.datasets.refcoco.candidates import read_candidates
from pipelines.datasets.refcoco.described import Boxes, Described, Read
from pipelines.datasets.refcoco.sentences import Images, Sentence, shards, unread
from schemas.geometry import Box, xyxy
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceRegion, SplitFacts, SplitInput, Store

_BOX_BYTES = 100  # of a box while it waits for its bin, approximately
_IMAGE_ID = re.compile(r"(?:COCO_[a-z]+[0-9]{4}_)?([0-9]{1,12})(?:_[0-9]+)?(?:\.jpg)?")


class _Record(msgspec.Struct):
    img_id: str
    sents: str
    bbox: tuple[float | None, float | None, float | None, float | None]
    height: int
    width: int

    @property
    def region_id(self) -> str:
        """The id of the record's region, which is the box as text: `468.3,0.91,171.7,116.12`."""
        return ",".join(repr(value).removesuffix(".0") for value in self.bbox)

    @property
    def number(self) -> int:
        """The COCO number of the image."""
        match = _IMAGE_ID.fullmatch(self.img_id)
        if match is None:
            raise Rejected(
                Reason.MALFORMED,
                f"img_id {self.img_id[:80]!r}, expected one like COCO_train2014_000000580957_4",
            )
        return int(match[1])

    def box(self) -> Box:
        """Return the box of the record as xyxy, pixels, unchecked."""
        x, y, width, height = (math.nan if value is None else value for value in self.bbox)
        return xyxy(x, y, width, height)


_LIST = msgspec.json.Decoder(list[Raw])
_RECORD = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """The size, boxes and sentences of one image, from its records."""

    size: tuple[int, int]  # width, height
    boxes: Mapping[str, Box]  # by region id
    sentences: Sequence[Sentence]


def open_flat(split: SplitInput, store: Store) -> Opening[Described]:
    """Yield the entries of one split that are no image's, and return its images.

    Its flat file has the split's name as its role.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    items = _decode(read_text(store, split.file), split.file)
    records, refused = _records(items)
    images: dict[ItemId, _Image] = {}
    for number, several in records.items():
        images[number], odd = _image(several)
        refused += odd
    # The last file is read before anything is counted: it may be one that cannot be used.
    candidates = read_candidates(split, store, list(images))
    listing = list_pictures(split, store)
    yield Count(Kind.SENTENCE, "read", len(items))
    yield from rejections(split, Kind.SENTENCE, refused)
    yield Count(Kind.IMAGE, "read", len(images))
    yield Count(Kind.ANNOTATION, "read", sum(len(image.boxes) for image in images.values()))
    usable, unusable = _usable(split, listing, images)
    yield from rejections(split, Kind.IMAGE, unusable)
    sentences = {number: image.sentences for number, image in images.items()}
    taken = Images(
        usable=usable,
        chosen=limited(split, usable),
        refused=dict(unusable).keys(),
        candidates=candidates,
        absent=AbsentExpressions(split, sentences, None).of,
    )
    yield from unread(split, taken, sentences)
    yield from _unread_boxes(split, images, taken)
    return (yield from _opening(split, images, taken, sentences))


def images_in(content: bytes, path: str) -> set[int]:
    """Return the COCO numbers of the images in a flat file.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    records, _ = _records(_decode(content, path))
    return set(records)


def _decode(content: bytes, path: str) -> list[Raw]:
    return decode_whole(
        _LIST,
        content,
        path,
        "a flat file of sentences",
        "Expected a JSON list of objects with img_id, sents, bbox, height and width: fetch or "
        "write it again.",
    )


def _records(items: Sequence[Raw]) -> tuple[dict[int, list[_Record]], list[Refused]]:
    """Return the records of each image, and the refused records."""
    records: dict[int, list[_Record]] = defaultdict(list)
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            record = decode_json(_RECORD, raw)
            records[record.number].append(record)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((f"[{position}]", malformed(error)))
        except Rejected as cause:
            refused.append((f"[{position}]", cause))
    return records, refused


def _image(records: Sequence[_Record]) -> tuple[_Image, list[Refused]]:
    """Return an image with the size that most of its records state, and the records that differ."""
    sizes = Counter((record.width, record.height) for record in records)
    size = min(sizes, key=lambda stated: (-sizes[stated], stated))
    sentences, refused, boxes = [], [], {}
    counts: Counter[str] = Counter()
    for record in sorted(records, key=_order):
        item_id = f"{record.img_id}/{counts[record.img_id]}"
        counts[record.img_id] += 1
        if (record.width, record.height) != size:
            detail = (
                f"the image is {record.width} x {record.height} here, and {size[0]} x {size[1]} "
                "in more of its records"
            )
            refused.append((item_id, Rejected(Reason.MALFORMED, detail)))
            continue
        boxes[record.region_id] = record.box()
        sentences.append(Sentence(item_id, record.img_id, record.region_id, record.sents))
    return _Image(size=size, boxes=dict(sorted(boxes.items())), sentences=sentences), refused


def _order(record: _Record) -> tuple[str, str, str, int, int]:
    return record.img_id, record.sents, record.region_id, record.width, record.height


def _usable(
    split: SplitInput, listing: Mapping[str, int], declared: Mapping[ItemId, _Image]
) -> tuple[dict[ItemId, ImageInfo], list[Refused]]:
    """Return the images whose picture exists, by number, and the faults of all other images."""
    usable: dict[ItemId, ImageInfo] = {}
    refused: list[Refused] = []
    for number, image in declared.items():
        name = find_picture(int(number), listing)
        try:
            usable[number] = image_info(
                split, str(number), name, image.size, listing, split.licence
            )
        except Rejected as cause:
            refused.append((str(number), cause))
    return usable, refused


def _unread_boxes(
    split: SplitInput, declared: Mapping[ItemId, _Image], images: Images
) -> Iterator[Entry]:
    for number, image in declared.items():
        if number not in images.chosen:
            boxes = len(image.boxes)
            yield Count(
                Kind.ANNOTATION, "sampled_out" if number in images.usable else "with_image", boxes
            )


def _opening(
    split: SplitInput,
    declared: Mapping[ItemId, _Image],
    images: Images,
    sentences: Mapping[ItemId, Sequence[Sentence]],
) -> Opening[Described]:
    boxes = {number: declared[number].boxes for number in images.usable}
    regions = sum(map(len, boxes.values()))
    number_of_shards = shards(split, images, sentences, regions=regions, categories=0)
    yield SplitFacts(split.source, split.split, number_of_shards)

    def boxes_of(number: ItemId) -> Boxes:
        return Boxes(regions=tuple(SourceRegion(name, box) for name, box in boxes[number].items()))

    read = Read(
        split=split,
        images=images,
        sentences=sentences,
        boxes_of=boxes_of,
        shards=number_of_shards,
        categories=read_categories(()),
        labels=None,
        size=_BOX_BYTES * regions,
    )
    return read.opened()
