"""Undecoded items of a JSON file, decoded one by one so that a bad item affects no other.

    [{"id": 7, ...}, {"id": "8", ...}, ...]        a list is first cut into slices, one per item

Ids are numbers, or texts that may be written as numbers.
"""

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

from schemas.rejection import Reason, Rejected

Raw = msgspec.Raw  # the bytes of one item
ItemId = int | str


class Items(Protocol):
    """Undecoded items that can be passed over several times."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Raw]: ...


_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,99}")


def as_number(item_id: ItemId) -> ItemId:
    """Return an id in the form in which ids are compared: `7` and `"7"` are both 7."""
    return int(item_id) if type(item_id) is str and _NUMBER.fullmatch(item_id) else item_id


def malformed(error: Exception) -> Rejected:
    """Return the refusal of an item that does not decode, with the decoder's message as detail."""
    return Rejected(Reason.MALFORMED, str(error))
