"""Operators that damage a JSON document where it hurts: a value, a key, a box, a mask, a name.

An operator takes a random generator and a decoded document, changes the document in place, and
returns whether it found something to change. What no value of Python is written as stands in a
`Raw`, whose text goes into the file as it is:

    {"bbox": Raw("[1e400, 1, 2, 3]")}    ->    {"bbox": [1e400, 1, 2, 3]}
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from tests.fuzz.odd_values import IDS, NAMES, NUMBERS, TEXTS
from tests.fuzz.region_faults import odd_box, odd_mask

Operator = Callable[[Random, Any], bool]

_BOXES = ("bbox", "boxes", "box")
_NAMES = (
    "file_name",
    "image",
    "img_fn",
    "metadata_fn",
    "url",
    "coco_url",
    "image_name",
    "video_id",
)
_SIZES = ("width", "height", "w", "h", "x", "y", "size")
_DEEP = (40, 120, 900, 3_000, 100_000)


class Raw(str):
    """Text that is written as it is, in place of a value."""

    __slots__ = ()


class Spot(NamedTuple):
    """The position of a value: its container, and its key or index there."""

    container: Any
    key: Any

    @property
    def value(self) -> Any:
        """The value."""
        return self.container[self.key]

    def put(self, value: Any) -> None:
        """Replace the value."""
        self.container[self.key] = value


def encode(document: Any, *, ascii_only: bool = True) -> bytes:
    """Return the JSON text of a document that may hold `Raw` values."""
    raws = sorted(set(_raws(document)), key=len)
    text = json.dumps(document, ensure_ascii=ascii_only)
    for raw in raws:
        text = text.replace(json.dumps(raw, ensure_ascii=ascii_only), raw)
    return text.encode("utf-8", "surrogatepass")


def _raws(document: Any) -> Iterator[str]:
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, Raw):
            yield str(value)
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def random_spot(chance: Random, document: Any) -> Spot | None:
    """Return a value somewhere in a document, the deeper the likelier."""
    spot, value = None, document
    while isinstance(value, dict | list) and value:
        if spot is not None and chance.random() < 0.2:
            break
        key = (
            chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        )
        spot = Spot(value, key)
        value = spot.value
    return spot


def spots(document: Any, keys: tuple[str, ...]) -> Iterator[Spot]:
    """Yield the values under some keys, wherever they are."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield from (Spot(value, key) for key in keys if key in value)
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def _one_of(chance: Random, document: Any, keys: tuple[str, ...]) -> Spot | None:
    there = list(spots(document, keys))
    return chance.choice(there) if there else None


def _lists(document: Any) -> list[list[Any]]:
    stack, there = [document], []
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            there += [value] if value else []
            stack += value
        elif isinstance(value, dict):
            stack += value.values()
    return there


def _replaced(choose: Callable[[Random, Any], Any], keys: tuple[str, ...] = ()) -> Operator:
    """Return an operator that replaces a value, somewhere or under a key, by what is chosen."""

    def operator(chance: Random, document: Any) -> bool:
        spot = _one_of(chance, document, keys) if keys else random_spot(chance, document)
        if spot is None:
            return False
        spot.put(choose(chance, spot.value))
        return True

    return operator


def _other_type(chance: Random, value: Any) -> Any:
    others: list[Any] = [None, True, False, 0, -1, 1.5, "", "7", [], {}, [[]], {"a": 1}, [value]]
    return chance.choice([other for other in others if type(other) is not type(value)])


def _near_type(chance: Random, value: Any) -> Any:
    """Return a value that looks like the same in a sloppier language."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return chance.choice([str(value), bool(value), float(value), f" {value} ", -value, [value]])
    if isinstance(value, str):
        return chance.choice([list(value), {"value": value}, len(value), value.encode().hex()])
    return str(value)


def _deep(chance: Random, _: Any) -> Raw:
    depth = chance.choice(_DEEP)
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    return Raw(
        opening * depth
        + chance.choice(["1", "[]", ""][: 3 if opening == "[" else 2])
        + closing * depth
    )


def _number(chance: Random, _: Any) -> Any:
    value = chance.choice(NUMBERS)
    return Raw(value) if isinstance(value, str) else value


def _text(chance: Random, value: Any) -> Any:
    odd = chance.choice(TEXTS)
    if isinstance(value, str) and chance.random() < 0.5:
        cut = chance.randrange(len(value) + 1)
        return value[:cut] + odd + value[cut:]
    return odd


def _odd_text(chance: Random, document: Any) -> bool:
    for _ in range(20):
        spot = random_spot(chance, document)
        if spot is not None and isinstance(spot.value, str):
            spot.put(_text(chance, spot.value))
            return True
    return False


def _drop(chance: Random, document: Any) -> bool:
    spot = random_spot(chance, document)
    if spot is None:
        return False
    del spot.container[spot.key]
    return True


def _rename(chance: Random, document: Any) -> bool:
    spot = random_spot(chance, document)
    if spot is None or not isinstance(spot.container, dict):
        return False
    spot.container[chance.choice(TEXTS)] = spot.container.pop(spot.key)
    return True


def _twice(chance: Random, document: Any) -> bool:
    """Write a key twice, with another value the second time."""
    spot = random_spot(chance, document)
    if spot is None or not isinstance(spot.container, dict) or not isinstance(spot.key, str):
        return False
    other = _other_type(chance, spot.value) if chance.random() < 0.5 else spot.value
    value, again, key = encode(spot.value).decode(), encode(other).decode(), json.dumps(spot.key)
    spot.put(Raw(f"{value},{key}:{again}"))
    return True


def _repeat(chance: Random, document: Any) -> bool:
    lists = _lists(document)
    if not lists:
        return False
    items = chance.choice(lists)
    for _ in range(chance.choice([1, 1, 2, 200])):
        items.insert(chance.randrange(len(items) + 1), chance.choice(items))
    return True


def _rearrange(chance: Random, document: Any) -> bool:
    lists = _lists(document)
    if not lists:
        return False
    items = chance.choice(lists)
    chance.choice([chance.shuffle, list.reverse, list.clear, _halve])(items)
    return True


def _halve(items: list[Any]) -> None:
    del items[len(items) // 2 :]


def _same_id(chance: Random, document: Any) -> bool:
    """Give an item the id of another one, or an id that is none."""
    there = list(spots(document, IDS))
    if not there:
        return False
    spot, other = chance.choice(there), chance.choice(there)
    odd = [0, -1, 2**31, 2**63, 2**64, 10**40, 1.5, True, None, "", "1", [1], "\ud800", other.value]
    spot.put(other.value if chance.random() < 0.5 else chance.choice(odd))
    return True


def _exchange(chance: Random, document: Any) -> bool:
    one, other = random_spot(chance, document), random_spot(chance, document)
    if one is None or other is None or _holds(one.value, other) or _holds(other.value, one):
        return False
    first, second = one.value, other.value
    one.put(second)
    other.put(first)
    return True


def _holds(value: Any, spot: Spot) -> bool:
    """Return whether a value is or holds the container of a spot: an exchange would be a cycle."""
    stack = [value]
    while stack:
        here = stack.pop()
        if here is spot.container:
            return True
        stack += here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()
    return False


OPERATORS: dict[str, Operator] = {
    "other type": _replaced(_other_type),
    "near type": _replaced(_near_type),
    "missing": _drop,
    "key renamed": _rename,
    "key twice": _twice,
    "nested deep": _replaced(_deep),
    "odd number": _replaced(_number),
    "odd size": _replaced(_number, _SIZES),
    "odd box": _replaced(odd_box, _BOXES),
    "odd mask": _replaced(odd_mask, ("segmentation", "mask", "mask_rle", "rle", "segms")),
    "odd text": _odd_text,
    "odd path": _replaced(lambda chance, _: chance.choice(NAMES), _NAMES),
    "item repeated": _repeat,
    "list rearranged": _rearrange,
    "id shared": _same_id,
    "values exchanged": _exchange,
}
