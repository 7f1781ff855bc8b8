"""The images and licences of a file in COCO's layout, by their ids."""

from collections.abc import Set
from contextlib import suppress
from typing import TypeVar

import msgspec

from pipelines.datasets.coco import lenient
from pipelines.datasets.coco.records import IDENTIFIED, NAME, CocoImage, CocoName
from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.raw_items import ItemId, Items, Raw, malformed
from schemas.json_decoding import decode
from schemas.rejection import Reason, Rejected

_Item = TypeVar("_Item", CocoImage, CocoName)


def index_items(
    items: Items, decoder: msgspec.json.Decoder[_Item], name: str
) -> tuple[dict[ItemId, _Item], list[Refused]]:
    """Return items by id, and the refused items.

    Of different items with the same id, the item whose text sorts first is taken, so that the
    choice does not depend on the order in the file.
    """
    taken: dict[ItemId, _Item] = {}
    repeated: set[ItemId] = set()
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            item = lenient.read_item(raw, decoder)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((_id_or_position(raw, f"{name}[{position}]"), malformed(error)))
            continue
        if item.id in taken:
            refused.append((str(item.id), _duplicate(name, item.id)))
            repeated.add(item.id)
        else:
            taken[item.id] = item
    return taken | (_first_by_text(items, decoder, repeated) if repeated else {}), refused


def _first_by_text(
    items: Items, decoder: msgspec.json.Decoder[_Item], wanted: Set[ItemId]
) -> dict[ItemId, _Item]:
    """Return, of the items of each wanted id, the one whose text sorts first."""
    taken: dict[ItemId, tuple[bytes, _Item]] = {}
    for raw in items:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            item = lenient.read_item(raw, decoder)
            text = bytes(raw)
            if item.id in wanted and (item.id not in taken or text < taken[item.id][0]):
                taken[item.id] = text, item
    return {item_id: item for item_id, (_, item) in taken.items()}


def licence_names(licenses: Raw) -> dict[ItemId, str]:
    """Return the names of a file's licences by id, without licences that have no name."""
    try:
        items = decode(RAWS, licenses)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    licences, _ = index_items(items, NAME, "licenses")
    return {item_id: item.name for item_id, item in licences.items() if item.name.strip()}


def _id_or_position(raw: Raw, position: str) -> str:
    try:
        return str(lenient.read_item(raw, IDENTIFIED).id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return position


def _duplicate(name: str, item_id: ItemId | None) -> Rejected:
    return Rejected(Reason.DUPLICATE_ID, f"id {item_id} stands more than once in {name}")
