"""Items of a file in COCO's layout in other forms than COCO's, read where one reading is possible.

    {"id": 7.0, "image_id": "1", "category_id": 2.0, "iscrowd": null,
     "bbox": ["10", "10", "40", "50"], "segmentation": [[10, 10, 50, 10, 50, 60]]}

Whole floats are integers, ids may be text or missing, numbers may be text. An object without a box
has the bounds of its mask. What has no such reading raises an error that names the key, the
expected kind and what stands there.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number
from schemas.json_decoding import decode, decode_any
from schemas.mask_forms import mask_bounds
from schemas.numbers import number_of, whole_of

_Item = TypeVar("_Item")
Sides = tuple[float | None, float | None, float | None, float | None]  # x, y, width, height

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_NO_CROWD = (None, 0, "", "0", "0.0", "false", "False", "no")
_CROWD = (1, "1", "1.0", "true", "True", "yes")


def read_fields(raw: Raw) -> Mapping[str, Raw]:
    """Return the values of an item by key, undecoded; raise `DecodeError` where it has no keys."""
    return decode_json(_FIELDS, raw)


def read_item(raw: Raw, decoder: msgspec.json.Decoder[_Item]) -> _Item:
    """Return an image, a category or a licence.

    Raises:
        msgspec.DecodeError: the item is malformed.
    """
    try:
        return decode(decoder, raw)
    except msgspec.ValidationError:
        fields = decode_any(raw)
        if not isinstance(fields, dict):
            raise
        return msgspec.convert(
            {key: _plain(key, value) for key, value in fields.items()}, decoder.type
        )


def read_id(fields: Mapping[str, Raw], key: str) -> ItemId | None:
    """Return an id of an annotation; None where it is null or missing.

    Raises:
        msgspec.ValidationError: it is neither a whole number nor text.
    """
    value = _value(fields, key)
    item_id = value if value is None else _as_id(value)
    if item_id is None and value is not None:
        raise _wrong(key, "an id, a whole number or text", value)
    return item_id


def require_id(fields: Mapping[str, Raw], key: str) -> ItemId:
    """Return an id that an annotation must have; see `read_id`."""
    item_id = read_id(fields, key)
    if item_id is None:
        raise msgspec.ValidationError(f"Object missing required field `{key}`")
    return item_id


def read_flag(fields: Mapping[str, Raw], key: str) -> bool:
    """Return whether an annotation is a crowd; null and nothing mean that it is none."""
    value = _value(fields, key)
    for meant, spellings in ((False, _NO_CROWD), (True, _CROWD)):
        if not isinstance(value, list | dict) and value in spellings:
            return meant
    raise _wrong(key, "0 or 1", value)


def read_box(fields: Mapping[str, Raw]) -> tuple[Sides, bool]:
    """Return the box of an annotation, and whether it is the bounds of its mask.

    Raises:
        msgspec.ValidationError: it is no list of four numbers, or missing beside no mask.
    """
    value = _value(fields, "bbox")
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _decoded(value, "bbox")
    if value in (None, []):
        return _masks_box(fields), True
    if not isinstance(value, list) or len(value) != 4:
        raise _wrong("bbox", "four numbers", value)
    numbers = [number_of(number) for number in value]
    if any(
        number is None and stated is not None for number, stated in zip(numbers, value, strict=True)
    ):
        raise _wrong("bbox", "four numbers", value)
    x, y, width, height = numbers
    return (x, y, width, height), False


def read_area(fields: Mapping[str, Raw]) -> float | None:
    """Return the area of an annotation; what is no number counts as not stated."""
    try:
        return number_of(_value(fields, "area"))
    except msgspec.ValidationError:
        return None


def _masks_box(fields: Mapping[str, Raw]) -> Sides:
    bounds = mask_bounds(bytes(fields.get("segmentation", b"")))
    if bounds is None:
        kept = ", ".join(sorted(fields))[:200]
        raise msgspec.ValidationError(
            f"has no `bbox`, and no mask to take it from; its keys: {kept}"
        )
    x0, y0, x1, y1 = bounds
    return x0, y0, x1 - x0, y1 - y0


def _plain(key: str, value: Any) -> Any:
    """Return the value of a key of an image, a category or a licence in COCO's form."""
    if key == "license":
        return _as_id(value)
    if key == "id":
        return value if (item_id := _as_id(value)) is None else item_id
    if key in ("width", "height"):
        return value if (side := whole_of(value)) is None else side
    return value


def _as_id(value: Any) -> ItemId | None:
    if isinstance(value, str):
        return as_number(value)
    return whole_of(value)


def _value(fields: Mapping[str, Raw], key: str) -> Any:
    return _decoded(fields[key], key) if key in fields else None


def _decoded(raw: Raw | str, key: str) -> Any:
    try:
        return decode_any(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise msgspec.ValidationError(f"{error} - at `$.{key}`") from None


def _wrong(key: str, expected: str, value: Any) -> msgspec.ValidationError:
    return msgspec.ValidationError(f"Expected {expected}, got {str(value)[:60]!r} - at `$.{key}`")
