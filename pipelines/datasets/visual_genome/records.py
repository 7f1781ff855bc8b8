"""The reader of Visual Genome's files: lists of a record per image, never decoded as a whole.

    region_descriptions  [{"id": 1, "regions": [{"region_id": 1382, "image_id": 1, "x": 421,
                           "y": 57, "width": 82, "height": 139, "phrase": "the clock is green"}]}]
    relationships        [{"image_id": 1, "relationships": [{"relationship_id": 15927,
                           "predicate": "ON", "subject": {...}, "object": {"object_id": 5046,
                           "name": "street", "x": 77, "y": 328, "w": 714, "h": 262}}]}]

Version 1.0 uses `id` for every id, and `image` for a region's image; since version 1.4 an object
merged with others has `names` instead of `name`, the first of which is read, and
`merged_object_ids`, which are not. All versions are read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.lenient_json import decode_json, decode_whole
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.json_decoding import decode
from schemas.rejection import Kind, Reason, Rejected

XYWH = tuple[float | None, float | None, float | None, float | None]  # pixels; None: not a number

NO_ID: ItemId = ""


class VgImage(msgspec.Struct):
    """An item of `image_data`: sizes in pixels; the url ends with the file's folder and name."""

    url: str
    width: int
    height: int
    id: ItemId = NO_ID
    image_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.id = _one_id("image_id", self.image_id, self.id)


class VgRegion(msgspec.Struct):
    """A described region; its box is xywh in whole pixels from 0, and may exceed the image."""

    x: float | None
    y: float | None
    width: float | None
    height: float | None
    phrase: str
    id: ItemId = NO_ID
    region_id: ItemId = NO_ID
    image: ItemId = NO_ID
    image_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.id = _one_id("region_id", self.region_id, self.id)
        self.image = as_number(self.image if self.image_id == NO_ID else self.image_id)

    @property
    def box(self) -> XYWH:
        """The box of the item: xywh, pixels."""
        return self.x, self.y, self.width, self.height


class VgNumbered(msgspec.Struct):
    """An object with its number; its box is xywh in pixels, as in a region."""

    x: float | None
    y: float | None
    w: float | None
    h: float | None
    id: ItemId = NO_ID
    object_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.id = _one_id("object_id", self.object_id, self.id)

    @property
    def box(self) -> XYWH:
        """The box of the item: xywh, pixels."""
        return self.x, self.y, self.w, self.h


class VgObject(VgNumbered, kw_only=True):
    """An object at one end of a relationship."""

    name: str | None = None
    names: list[str] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is None:
            if not self.names:
                raise ValueError("an object has neither `name` nor `names`")
            self.name = self.names[0]


class VgRelationship(msgspec.Struct):
    """A relationship of two objects of an image."""

    predicate: str
    subject: VgObject
    object: VgObject
    id: ItemId = NO_ID
    relationship_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.id = _one_id("relationship_id", self.relationship_id, self.id)


class VgImageRecord(msgspec.Struct):
    """The record of one image in a file."""

    id: ItemId = NO_ID
    image_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.image_id = as_number(self.id if self.image_id == NO_ID else self.image_id)


class _RegionRecord(VgImageRecord, kw_only=True):
    """The record of an image's regions, undecoded."""

    items: list[Raw] = msgspec.field(name="regions")


class _RelationshipRecord(VgImageRecord, kw_only=True):
    """The record of an image's relationships, undecoded."""

    items: list[Raw] = msgspec.field(name="relationships")


class _Named(msgspec.Struct):
    """An item of which only the id is decoded."""

    id: ItemId = NO_ID
    region_id: ItemId = NO_ID
    relationship_id: ItemId = NO_ID
    object_id: ItemId = NO_ID

    def __post_init__(self) -> None:
        self.id = _one_id("id", self.region_id, self.relationship_id, self.object_id, self.id)


class _Identified(Protocol):
    """An item with an id."""

    id: ItemId


Item = TypeVar("Item", bound=_Identified)

IMAGE = msgspec.json.Decoder(VgImage)
REGION = msgspec.json.Decoder(VgRegion)
RELATIONSHIP = msgspec.json.Decoder(VgRelationship)
_NAMED = msgspec.json.Decoder(_Named)


@dataclass(frozen=True, slots=True)
class RecordKind:
    """The kind of the records of a file."""

    decoder: msgspec.json.Decoder[Any]  # of a `VgImageRecord` with `items`
    list_decoder: msgspec.json.Decoder[list[Any]]  # of several
    counted: tuple[Kind, ...]  # the kinds under which the ledger counts an item
    prefix: str = ""  # the beginning of an item's id, before the owner's id

    def decoded(self, records: bytes) -> list[Any]:
        """Return the records in a JSON list of records that can each be decoded."""
        try:
            return decode(self.list_decoder, records)
        except msgspec.DecodeError:
            return [decode_json(self.decoder, raw) for raw in decode(RAWS, records)]

    def names(self, items: Iterable[Raw], name: str) -> list[str]:
        """Return the ids of undecoded items, or for items without an id positions: `NAME[3]`."""
        return [self._name(raw) or f"{name}[{number}]" for number, raw in enumerate(items)]

    def _name(self, raw: Raw) -> str:
        try:
            return f"{self.prefix}{decode_json(_NAMED, raw).id}"
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""


REGIONS = RecordKind(
    msgspec.json.Decoder(_RegionRecord),
    msgspec.json.Decoder(list[_RegionRecord]),
    (Kind.ANNOTATION, Kind.SENTENCE),
)
RELATIONSHIPS = RecordKind(
    msgspec.json.Decoder(_RelationshipRecord),
    msgspec.json.Decoder(list[_RelationshipRecord]),
    (Kind.RELATIONSHIP,),
    "relationship/",
)


def decode_list(content: bytes, path: str) -> list[Raw]:
    """Return the undecoded items of a file.

    Raises:
        InputFileError: the content is no JSON list; the message says where the fault is.
    """
    return decode_whole(
        RAWS,
        content,
        path,
        "a whole file of Visual Genome",
        "Expected a JSON list with one object per image. If it is a download, fetch it again; "
        "if it is still zipped, unpack it.",
    )


def index_items(
    items: Iterable[Raw], decoder: msgspec.json.Decoder[Item], name: str
) -> tuple[dict[ItemId, Item], list[Refused]]:
    """Return items by id in the order of their ids, and the refused items.

    Of items with the same id, the item whose text sorts first is taken, so that the choice does not
    depend on the order in the file.
    """
    taken: dict[ItemId, tuple[Raw, Item]] = {}
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            item = decode_json(decoder, raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((f"{name}[{position}]", malformed(error)))
            continue
        if item.id in taken:
            cause = Rejected(Reason.DUPLICATE_ID, f"id {item.id} stands more than once in {name}")
            refused.append((str(item.id), cause))
            if bytes(taken[item.id][0]) <= bytes(raw):
                continue
        taken[item.id] = raw, item
    return {item_id: taken[item_id][1] for item_id in sorted(taken, key=_id_order)}, refused


def _id_order(item_id: ItemId) -> tuple[int, str]:
    return len(str(item_id)), str(item_id)


def _one_id(key: str, *ids: ItemId) -> ItemId:
    """Return an item's id, from the first field that has an id, in the form for comparison."""
    for item_id in ids:
        if item_id != NO_ID:
            return as_number(item_id)
    raise ValueError(f"it has neither `{key}` nor `id`")
