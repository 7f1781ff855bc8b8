"""What is wrong with a value, in our words: the errors of pydantic's models, one for each value.

fault_at({"type": "greater_than_equal", "input": 0, "ctx": {"ge": 1}, ...})  expected 1 or more,
                                                                             not 0
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

_SHOWN = 60  # characters of a value
_TYPES = {
    "string_type": "text",
    "string_too_short": "one character or more",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "mapping_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "string_pattern_mismatch": "a letter or digit, then letters, digits, dots and dashes",
    "too_short": "one at least",
}
_LIMITS = {
    "greater_than_equal": ("ge", "{} or more"),
    "less_than_equal": ("le", "{} or less"),
    "greater_than": ("gt", "more than {}"),
    "less_than": ("lt", "less than {}"),
}

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """Something that is wrong with a document: the keys that lead to it, and what it is."""

    path: Path
    text: str

    def __str__(self) -> str:
        """Return the keys and the text, e.g. "sources.0.name: expected text, not 3"."""
        return ": ".join(filter(None, [".".join(map(str, self.path)), self.text]))


def value_faults(errors: Iterable[ErrorDetails], document: object) -> list[Fault]:
    """Return the faults in the values of a document, one for each value, in its order.

    Args:
        errors: the errors that a model's `ValidationError` lists.
        document: what the model was made from; only as much of an error's path is kept as leads
            into it: the rest names forms that the value could have had.
    """
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        by_path.setdefault(_path(error, document), []).append(error)
    return [Fault(path, _expected(several)) for path, several in by_path.items()]


def _path(error: ErrorDetails, document: Any) -> Path:
    path: list[str | int] = []
    for part in error["loc"]:
        if not _has(document, part):
            return (*path, part) if error["type"] == "missing" else tuple(path)
        document = document[part]
        path.append(part)
    return tuple(path)


def _has(document: Any, part: str | int) -> bool:
    if isinstance(document, Mapping):
        return part in document
    return isinstance(document, list | tuple) and isinstance(part, int)


def _expected(errors: Sequence[ErrorDetails]) -> str:
    """Return what was expected instead of a value, which may have had one of several forms."""
    first = errors[0]
    if first["type"] == "missing":
        return "this key is missing"
    known = [name for error in errors for name in _choices(error)]
    value = first["input"]
    forms = list(dict.fromkeys(form for error in errors if (form := _form(error))))
    expected = " or ".join([*forms, *known] if len(known) < 2 else [*forms, ", ".join(known)])
    meant = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f"expected {expected}, not {_shown(value)}" + (
        f"; did you mean {meant[0]}?" if meant else ""
    )


def _choices(error: ErrorDetails) -> list[str]:
    """Return the values that a choice has, from a text such as "'embed' or 'reference'"."""
    if error["type"] not in ("enum", "literal_error"):
        return []
    return error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")


def _form(error: ErrorDetails) -> str:
    """Return the form that a value should have; "" for a choice."""
    kind = error["type"]
    if kind in _LIMITS:
        limit, form = _LIMITS[kind]
        return form.format(_number(error["ctx"][limit]))
    if _choices(error):
        return ""
    return _TYPES.get(kind, error["msg"])


def _number(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
