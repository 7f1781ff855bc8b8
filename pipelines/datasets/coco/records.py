"""The items of a file in COCO's layout, decoded so that a bad item affects no other item.

    {"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480, ...}],
     "annotations": [{"id": 1, "image_id": 9, "category_id": 51, "iscrowd": 0,
                      "bbox": [x, y, width, height], "segmentation": [[x0, y0, ...]]}],
     "categories": [{"id": 51, "name": "bowl", ...}], "licenses": [...]}

Annotations are decoded all at once, which is fast; but where one of them is malformed or has the
id of another, the file is decoded to slices of its own bytes, and each slice by itself. A
segmentation stays a slice in any case until its region is screened.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.errors import InputFileError
from schemas.rejection import Reason, Rejected
from schemas.source import SplitInput


class _Identified(msgspec.Struct):
    """An item with an id; `7` and `"7"` are the same id, because both read the same in a build."""

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
    """The ids of an annotation and its image."""

    image_id: ItemId

    def __post_init__(self) -> None:
        if type(self.id) is str or type(self.image_id) is str:
            self.id, self.image_id = as_number(self.id), as_number(self.image_id)


class _NumberLink(msgspec.Struct, gc=False):
    """The ids of an annotation and its image as numbers: the usual case, decoded much faster."""

    id: int
    image_id: int


class _CocoBox(msgspec.Struct, gc=False):
    """An item of `annotations` without its area."""

    id: ItemId
    image_id: ItemId
    category_id: ItemId
    bbox: tuple[float | None, float | None, float | None, float | None]
    iscrowd: int | bool = 0
    segmentation: Raw = Raw(b"")


class CocoAnnotation(_CocoBox, gc=False):
    """An item of `annotations`; the box is xywh in pixels, the ids are as written in the file."""

    area: float | None = None  # square pixels, of the mask where there is one


Undecoded = CocoAnnotation | Raw  # an annotation, or the slice that may hold one


_Annotation = TypeVar("_Annotation")


class CocoFile(msgspec.Struct, Generic[_Annotation]):
    """A whole file, in which either all annotations are decoded or none."""

    images: list[Raw]
    annotations: list[_Annotation]
    categories: list[Raw]
    licenses: list[Raw] = []


class CocoOutline(msgspec.Struct):
    """A whole file of which the annotations are only skipped, which is fast."""

    images: list[Raw]
    annotations: Raw
    categories: list[Raw]


class _CocoName(_Identified):
    """An item of `categories` or of `licenses`."""

    name: str


_ID, _IMAGE_ID = attrgetter("id"), attrgetter("image_id")
_SOUND_FILE = msgspec.json.Decoder(CocoFile[CocoAnnotation])
_ANY_FILE = msgspec.json.Decoder(CocoFile[Raw])
_OUTLINE = msgspec.json.Decoder(CocoOutline)
IDENTIFIED = msgspec.json.Decoder(_Identified)
IMAGE = msgspec.json.Decoder(CocoImage)
_ANNOTATION = msgspec.json.Decoder(CocoAnnotation)
_BOX = msgspec.json.Decoder(_CocoBox)
LINK = msgspec.json.Decoder(CocoLink)
_NUMBER_LINK = msgspec.json.Decoder(_NumberLink)
NAME = msgspec.json.Decoder(_CocoName)


def decode_file(content: bytes, path: str) -> CocoFile[CocoAnnotation] | CocoFile[Raw]:
    """Return the items of a file in COCO's layout.

    Raises:
        InputFileError: the content is no JSON, or lacks COCO's lists; the message names the place.
    """
    try:
        return _decode_sound(content) or decode_json(_ANY_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_whole(content, path, error) from None


def decode_outline(content: bytes, path: str) -> CocoOutline:
    """Return the images and categories of a file in COCO's layout, undecoded.

    Raises:
        InputFileError: the content is no JSON, or lacks COCO's lists; the message names the place.
    """
    try:
        return decode_json(_OUTLINE, content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_whole(content, path, error) from None


def _not_whole(content: bytes, path: str, error: Exception) -> InputFileError:
    return InputFileError(
        f"{path} ({len(content)} bytes) is not a whole COCO annotation file: {error}. Expected "
        "a JSON object with the lists images, annotations and categories. If it is a "
        "download, fetch it again; if another tool wrote it, check that tool's export."
    )


def _decode_sound(content: bytes) -> CocoFile[CocoAnnotation] | None:
    """Return the file if all annotations are well formed and their ids are unique numbers."""
    try:
        file = _SOUND_FILE.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    ids, linked = set(map(_ID, file.annotations)), set(map(_IMAGE_ID, file.annotations))
    sound = len(ids) == len(file.annotations) and {*map(type, ids), *map(type, linked)} <= {int}
    return file if sound else None


def decode_annotation(item: Undecoded) -> CocoAnnotation:
    """Return an annotation; an area that is no number counts as not stated.

    Raises:
        msgspec.DecodeError: the annotation is malformed.
    """
    if isinstance(item, CocoAnnotation):
        return item
    try:
        return _ANNOTATION.decode(item)
    except msgspec.ValidationError:
        return CocoAnnotation(**msgspec.structs.asdict(_BOX.decode(item)))


_Item = TypeVar("_Item", CocoImage, _CocoName)


def index_items(
    items: Sequence[Raw], decoder: msgspec.json.Decoder[_Item], name: str
) -> tuple[dict[ItemId, _Item], list[Refused]]:
    """Return items by id, and the refused items.

    Of different items with the same id, the item whose text sorts first is taken, so that the
    choice does not depend on the order in the file.
    """
    taken: dict[ItemId, tuple[Raw, _Item]] = {}
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            item = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((_id_or_position(raw, f"{name}[{position}]"), malformed(error)))
            continue
        if item.id in taken:
            refused.append((str(item.id), _duplicate(name, item.id)))
            if bytes(taken[item.id][0]) <= bytes(raw):
                continue
        taken[item.id] = raw, item
    return {item_id: item for item_id, (_, item) in taken.items()}, refused


def group_annotations(
    file: CocoFile[CocoAnnotation] | CocoFile[Raw], split: SplitInput
) -> tuple[dict[ItemId, list[Undecoded]], list[Refused]]:
    """Return the annotations of a part's images, by image id, and the annotations refused."""
    groups: dict[ItemId, list[Undecoded]] = {}
    foreign: set[ItemId] = set()
    refused: list[Refused] = []
    for image_id, item in _linked(file.annotations, split, refused):
        group = groups.get(image_id)
        if group is not None:
            group.append(item)
        elif image_id not in foreign:
            if split.owns(str(image_id)):
                groups[image_id] = [item]
            else:
                foreign.add(image_id)
    refused += _drop_repeated(groups, file.annotations)
    return groups, refused


def _linked(
    items: Sequence[Undecoded], split: SplitInput, refused: list[Refused]
) -> Iterator[tuple[ItemId, Undecoded]]:
    """Yield annotations with the ids of their images; the leading part refuses all others."""
    if items and isinstance(items[0], CocoAnnotation):  # then all of them are decoded
        yield from zip(map(_IMAGE_ID, items), items, strict=True)
        return
    for position, item in enumerate(items):
        assert isinstance(item, Raw)
        try:
            yield link_of(item).image_id, item
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if split.leads:
                refused.append((f"annotations[{position}]", malformed(error)))


def id_of(item: Undecoded) -> str:
    """Return the id of an annotation with a valid link."""
    return str(LINK.decode(item).id if isinstance(item, Raw) else item.id)


def link_of(raw: Raw) -> CocoLink | _NumberLink:
    """Return the ids of an undecoded annotation; an annotation without ids raises `DecodeError`."""
    try:
        return _NUMBER_LINK.decode(raw)
    except msgspec.ValidationError:
        return LINK.decode(raw)


def _id_or_position(raw: Raw, position: str) -> str:
    try:
        return str(IDENTIFIED.decode(raw).id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return position


def _duplicate(name: str, item_id: ItemId | None) -> Rejected:
    return Rejected(Reason.DUPLICATE_ID, f"id {item_id} stands more than once in {name}")


def _drop_repeated(
    groups: dict[ItemId, list[Undecoded]], items: Sequence[Undecoded]
) -> Iterator[Refused]:
    """Keep one annotation of each id, and yield the others as refused.

    An id can repeat only in a file whose annotations were decoded one by one.
    """
    slices = [item for item in items if isinstance(item, Raw)]
    numbers = Counter(map(_id_of, slices))
    first: dict[ItemId | None, Raw] = {}
    for raw in slices:
        if numbers[item_id := _id_of(raw)] > 1:
            first[item_id] = min(raw, first.get(item_id, raw), key=bytes)
    for image_id, group in groups.items() if first else ():
        survivors: list[Undecoded] = []
        for item in group:
            item_id = _id_of(item) if isinstance(item, Raw) else None
            if item_id in first and item is not first[item_id]:
                yield str(item_id), _duplicate("annotations", item_id)
            else:
                survivors.append(item)
        groups[image_id] = survivors


def _id_of(raw: Raw) -> ItemId | None:
    try:
        return LINK.decode(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
