"""COCO's annotation layout, item by item, so that one bad item spoils only itself.

    {"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480, ...}],
     "annotations": [{"id": 1, "image_id": 9, "category_id": 51, "iscrowd": 0,
                      "bbox": [x, y, width, height], "segmentation": [[x0, y0, ...]]}],
     "categories": [{"id": 51, "name": "bowl", ...}], "licenses": [...]}

The file is decoded to slices of its own bytes; each slice is then decoded by itself, and a
segmentation stays a slice until its region is screened. Python's `json` writes two things that
are no JSON: NaN as a bare word, and half a surrogate pair. Where a file holds them they are read
as null and as a replacement character, and judged like any other value.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from schemas.errors import InputFileError
from schemas.rejection import Reason, Rejected
from schemas.source import SplitInput

Raw = msgspec.Raw
ItemId = int | str


class CocoFile(msgspec.Struct):
    """A whole file, its items still undecoded."""

    images: list[Raw]
    annotations: list[Raw]
    categories: list[Raw]
    licenses: list[Raw] = []


class _Identified(msgspec.Struct):
    """An item with an id; `7` and `"7"` are one id, for both are written down alike."""

    id: ItemId

    def __post_init__(self) -> None:
        self.id = as_number(self.id)


class CocoImage(_Identified):
    """An item of `images`; sizes in pixels."""

    file_name: str
    width: int
    height: int
    license: ItemId | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.license is not None:
            self.license = as_number(self.license)


class CocoLink(_Identified):
    """What ties an annotation to its image."""

    image_id: ItemId

    def __post_init__(self) -> None:
        if type(self.id) is str or type(self.image_id) is str:
            self.id, self.image_id = as_number(self.id), as_number(self.image_id)


class _NumberLink(msgspec.Struct, gc=False):
    """The same where both ids are numbers, as they should be; much faster to read."""

    id: int
    image_id: int


class CocoAnnotation(msgspec.Struct, gc=False):
    """An item of `annotations`; the box is xywh in pixels. Its ids are as they are written."""

    id: ItemId
    image_id: ItemId
    category_id: ItemId
    bbox: tuple[float | None, float | None, float | None, float | None]
    iscrowd: int | bool = 0
    segmentation: Raw = Raw(b"")


class CocoCategory(_Identified):
    """An item of `categories`."""

    name: str


class CocoLicence(_Identified):
    """An item of `licenses`."""

    name: str


def as_number(item_id: ItemId) -> ItemId:
    """Return an id in the one form we compare: a number, if it is written as one."""
    return int(item_id) if type(item_id) is str and _NUMBER.fullmatch(item_id) else item_id


FILE = msgspec.json.Decoder(CocoFile)
IDENTIFIED = msgspec.json.Decoder(_Identified)
IMAGE = msgspec.json.Decoder(CocoImage)
ANNOTATION = msgspec.json.Decoder(CocoAnnotation)
LINK = msgspec.json.Decoder(CocoLink)
_NUMBER_LINK = msgspec.json.Decoder(_NumberLink)
CATEGORY = msgspec.json.Decoder(CocoCategory)
LICENCE = msgspec.json.Decoder(CocoLicence)

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,99}")
_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)\b')
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rb"(\\\\|%b%b)|%b|%b" % (_HIGH, _LOW, _HIGH, _LOW))


def decode_file(content: bytes, path: str) -> CocoFile:
    """Return the file's items.

    Raises:
        InputFileError: it is no JSON, or has not COCO's lists; says where, and what was expected.
    """
    try:
        try:
            return FILE.decode(content)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return FILE.decode(_WORD.sub(_as_json, content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not a whole COCO annotation file: {error}. Expected "
            "a JSON object with the lists images, annotations and categories. If it is a "
            "download, fetch it again; if another tool wrote it, check that tool's export."
        ) from None


def _as_json(found: re.Match[bytes]) -> bytes:
    if not found[0].startswith(b'"'):
        return b"null"
    return _SURROGATE.sub(lambda escape: escape[1] or rb"\ufffd", found[0])


Refused = tuple[str, Rejected]  # an item's id, or its place in the file, and why
Item = TypeVar("Item", CocoImage, CocoLicence)


def index_items(
    items: Sequence[Raw], decoder: msgspec.json.Decoder[Item], name: str
) -> tuple[dict[ItemId, Item], list[Refused]]:
    """Return items by id, and those refused.

    Of items that share an id and differ, the one whose text sorts first is taken, so that the
    choice does not depend on the order in the file.
    """
    taken: dict[ItemId, tuple[Raw, Item]] = {}
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            item = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((_id_or_place(raw, f"{name}[{position}]"), malformed(error)))
            continue
        if item.id in taken:
            refused.append((str(item.id), _duplicate(name, item.id)))
            if bytes(taken[item.id][0]) <= bytes(raw):
                continue
        taken[item.id] = raw, item
    return {item_id: item for item_id, (_, item) in taken.items()}, refused


def group_annotations(
    items: Sequence[Raw], split: SplitInput
) -> tuple[dict[ItemId, list[Raw]], list[Refused]]:
    """Return the undecoded annotations of a part's images, by image id, and those it refuses."""
    groups: dict[ItemId, list[Raw]] = {}
    foreign: set[ItemId] = set()
    seen: set[ItemId] = set()
    repeated: set[ItemId] = set()
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            link = _link(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if split.leads:
                refused.append((f"annotations[{position}]", malformed(error)))
            continue
        (repeated if link.id in seen else seen).add(link.id)
        group = groups.get(link.image_id)
        if group is not None:
            group.append(raw)
        elif link.image_id not in foreign:
            if split.owns(str(link.image_id)):
                groups[link.image_id] = [raw]
            else:
                foreign.add(link.image_id)
    if repeated:
        refused += _drop_repeated(items, groups, repeated)
    return groups, refused


def _link(raw: Raw) -> CocoLink | _NumberLink:
    try:
        return _NUMBER_LINK.decode(raw)
    except msgspec.ValidationError:
        return LINK.decode(raw)


def _id_or_place(raw: Raw, place: str) -> str:
    try:
        return str(IDENTIFIED.decode(raw).id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return place


def malformed(error: Exception) -> Rejected:
    """Return the refusal of an item that does not decode; the decoder says what it expected."""
    return Rejected(Reason.MALFORMED, str(error))


def _duplicate(name: str, item_id: ItemId | None) -> Rejected:
    return Rejected(Reason.DUPLICATE_ID, f"id {item_id} stands more than once in {name}")


def _drop_repeated(
    items: Sequence[Raw], groups: dict[ItemId, list[Raw]], repeated: set[ItemId]
) -> Iterator[Refused]:
    first: dict[ItemId, tuple[bytes, Raw]] = {}
    for raw in items:
        if (item_id := _id_of(raw)) in repeated:
            text = bytes(raw)
            if item_id not in first or text < first[item_id][0]:
                first[item_id] = text, raw
    for image_id, group in groups.items():
        survivors = []
        for raw in group:
            if (item_id := _id_of(raw)) in repeated and raw is not first[item_id][1]:
                yield str(item_id), _duplicate("annotations", item_id)
            else:
                survivors.append(raw)
        groups[image_id] = survivors


def _id_of(raw: Raw) -> ItemId | None:
    try:
        return LINK.decode(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
