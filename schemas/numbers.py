"""Numbers as people's tools write them: as JSON numbers, or as text such as "10" or "10.5"."""

import re

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)


def number_of(value: object) -> float | None:
    """Return the number that a JSON value is, or that its text states; None where it is neither."""
    if isinstance(value, str):
        return float(value) if len(value) < 400 and _NUMBER.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole_of(value: object) -> int | None:
    """Return the whole number that a JSON value is, or that its text states: 7, 7.0, "7", "7.0"."""
    number = number_of(value)
    return int(number) if number is not None and number % 1 == 0 else None
