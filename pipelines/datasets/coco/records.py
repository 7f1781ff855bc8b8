"""The items of a file in COCO's layout, decoded so that a bad item affects no other item.

    {"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480, ...}],
     "annotations": [{"id": 1, "image_id": 9, "category_id": 51, "iscrowd": 0,
                      "bbox": [x, y, width, height], "segmentation": [[x0, y0, ...]]}],
     "categories": [{"id": 51, "name": "bowl", ...}], "licenses": [...]}

Annotations are decoded all at once, which is fast; but where one of them is malformed, or has the
id of another of its image, the file is decoded to slices of its own bytes, and each slice by itself
(`pipelines.datasets.coco.lenient`). A segmentation stays a slice in any case until its region is
screened.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from pipelines.datasets.coco import lenient
from pipelines.datasets.coco.unusable_file import not_whole
from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.json_decoding import decode


class _Identified(msgspec.Struct):
    """An item with an id; `7` and `"7"` are the same id, because both read the same in a build."""

    id: ItemId

    def __post_init__(self) -> None:
        self.id = as_number(self.id)


class CocoImage(_Identified):
    """An item of `images`; sizes in pixels, None or below 1 where they are not stated."""

    file_name: str
    width: int | None = None
    height: int | None = None
    license: ItemId | None = None

    def __post_init__(self) -> None:
        if type(self.id) is str or type(self.license) is str:
            self.id = as_number(self.id)
            self.license = None if self.license is None else as_number(self.license)


class CocoLink(msgspec.Struct):
    """The ids of an annotation, None where it has none, and of its image."""

    id: ItemId | None
    image_id: ItemId

    def __post_init__(self) -> None:
        if type(self.id) is str or type(self.image_id) is str:
            self.id = None if self.id is None else as_number(self.id)
            self.image_id = as_number(self.image_id)


class _NumberLink(msgspec.Struct, gc=False):
    """The ids of an annotation and its image as numbers: the usual case, decoded much faster."""

    id: int
    image_id: int


class CocoAnnotation(msgspec.Struct, gc=False):
    """An item of `annotations`; the box is xywh in pixels, the ids are as written in the file."""

    id: ItemId | None  # None: it has none
    image_id: ItemId
    category_id: ItemId
    bbox: lenient.Sides
    iscrowd: int | bool = 0
    segmentation: Raw = Raw(b"")
    area: float | None = None  # square pixels, of the mask where there is one


Undecoded = CocoAnnotation | Raw  # an annotation, or the slice that may hold one


_Annotation = TypeVar("_Annotation")


class CocoFile(msgspec.Struct, Generic[_Annotation]):
    """A whole file, in which either all annotations are decoded or none."""

    images: list[Raw]
    annotations: list[_Annotation]
    categories: list[Raw]
    licenses: Raw = Raw(b"[]")  # of any kind; what is no list holds no licences


class CocoOutline(msgspec.Struct):
    """A whole file of which the annotations are only skipped, which is fast."""

    images: list[Raw]
    annotations: Raw
    categories: list[Raw]


class CocoName(_Identified):
    """An item of `categories` or of `licenses`."""

    name: str


_ITEMS = msgspec.json.Decoder(list[Raw])
_ID, _IMAGE_ID = attrgetter("id"), attrgetter("image_id")
_SOUND = msgspec.json.Decoder(list[CocoAnnotation])
_SOUND_FILE = msgspec.json.Decoder(CocoFile[CocoAnnotation])
_ANY_FILE = msgspec.json.Decoder(CocoFile[Raw])
_OUTLINE = msgspec.json.Decoder(CocoOutline)
IDENTIFIED = msgspec.json.Decoder(_Identified)
IMAGE = msgspec.json.Decoder(CocoImage)
_ANNOTATION = msgspec.json.Decoder(CocoAnnotation)
LINK = msgspec.json.Decoder(CocoLink)
_NUMBER_LINK = msgspec.json.Decoder(_NumberLink)
NAME = msgspec.json.Decoder(CocoName)


def decode_file(content: bytes, path: str) -> CocoFile[CocoAnnotation] | CocoFile[Raw]:
    """Return the items of a file in COCO's layout.

    Raises:
        InputFileError: the content is no JSON, or lacks COCO's lists; the message names the place.
    """
    try:
        return _decode_sound(content) or decode_json(_ANY_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_whole(content, path, error) from None


def decode_outline(content: bytes, path: str) -> CocoOutline:
    """Return the images and categories of a file in COCO's layout, undecoded.

    Raises:
        InputFileError: the content is no JSON, or lacks COCO's lists; the message names the place.
    """
    try:
        return decode_json(_OUTLINE, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_whole(content, path, error) from None


def _decode_sound(content: bytes) -> CocoFile[CocoAnnotation] | None:
    """Return the file if all annotations are well formed and have ids of their own, as numbers.

    An object is identified by its image and id: tools restart the ids of annotations.
    """
    try:
        file = decode(_SOUND_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return file if are_identified(file.annotations) else None


def are_identified(annotations: Sequence[CocoAnnotation]) -> bool:
    """Return whether each annotation has an id of its own, as a number, at least in its image."""
    for of_item in (_ID, _IMAGE_ID):
        if not {*map(type, map(of_item, annotations))} <= {int}:
            return False
    number = len(annotations)
    if len(set(map(_ID, annotations))) == number:
        return True
    pairs = zip(map(_IMAGE_ID, annotations), map(_ID, annotations), strict=True)
    return len(set(pairs)) == number


def decode_raw_file(content: bytes, path: str) -> CocoFile[Raw]:
    """Return the items of a file as `decode_file`, annotations undecoded."""
    try:
        return decode_json(_ANY_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise not_whole(content, path, error) from None


def joined(annotations: Sequence[Undecoded]) -> bytes:
    """Return undecoded annotations as a JSON list."""
    return b"[%b]" % b",".join(item for item in annotations if isinstance(item, Raw))


def decode_annotations(listed: bytes) -> Sequence[Undecoded]:
    """Return the annotations in a JSON list that has all of its images: all decoded, or none."""
    with suppress(msgspec.DecodeError):
        annotations = decode(_SOUND, listed)
        if are_identified(annotations):
            return annotations
    return decode(_ITEMS, listed)


def decode_annotation(item: Undecoded) -> CocoAnnotation:
    """Return an annotation, as `read_annotation`."""
    return read_annotation(item)[0]


def read_annotation(item: Undecoded) -> tuple[CocoAnnotation, bool]:
    """Return an annotation, and whether its box is the bounds of its mask.

    An area that is no number counts as not stated.

    Raises:
        msgspec.DecodeError: the annotation is malformed.
    """
    if isinstance(item, CocoAnnotation):
        return item, False
    try:
        return decode(_ANNOTATION, item), False
    except msgspec.ValidationError:
        return _read_leniently(item)


def _read_leniently(raw: Raw) -> tuple[CocoAnnotation, bool]:
    fields = lenient.read_fields(raw)
    box, of_mask = lenient.read_box(fields)
    annotation = CocoAnnotation(
        id=lenient.read_id(fields, "id"),
        image_id=lenient.require_id(fields, "image_id"),
        category_id=lenient.require_id(fields, "category_id"),
        bbox=box,
        iscrowd=lenient.read_flag(fields, "iscrowd"),
        segmentation=fields.get("segmentation", Raw(b"")),
        area=lenient.read_area(fields),
    )
    return annotation, of_mask


def group_annotations(
    annotations: Sequence[Undecoded],
) -> tuple[dict[ItemId, list[Undecoded]], list[Refused]]:
    """Return annotations by the ids of their images, and the annotations refused."""
    groups: dict[ItemId, list[Undecoded]] = {}
    refused: list[Refused] = []
    for image_id, item in _linked(annotations, refused):
        group = groups.get(image_id)
        if group is None:
            group = groups[image_id] = []
        group.append(item)
    return groups, refused


def _linked(
    items: Sequence[Undecoded], refused: list[Refused]
) -> Iterator[tuple[ItemId, Undecoded]]:
    """Yield annotations with the ids of their images, and refuse all others."""
    if items and isinstance(items[0], CocoAnnotation):  # then all of them are decoded
        yield from zip(map(_IMAGE_ID, items), items, strict=True)
        return
    for position, item in enumerate(items):
        assert isinstance(item, Raw)
        try:
            yield link_of(item).image_id, item
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((f"annotations[{position}]", malformed(error)))


def link_of(raw: Raw) -> CocoLink | _NumberLink:
    """Return the ids of an undecoded annotation; one without an image raises `DecodeError`."""
    with suppress(msgspec.ValidationError):
        return decode(_NUMBER_LINK, raw)
    with suppress(msgspec.ValidationError):
        return decode(LINK, raw)
    fields = lenient.read_fields(raw)
    return CocoLink(lenient.read_id(fields, "id"), lenient.require_id(fields, "image_id"))
