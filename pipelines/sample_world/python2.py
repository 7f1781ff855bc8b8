"""A writer of pickles of plain containers in the form of Python 2: protocol 0, which is text."""

from collections.abc import Mapping, Sequence

PlainValue = int | str | Sequence["PlainValue"] | Mapping[str, "PlainValue"]


def pickled(value: PlainValue) -> bytes:
    """Return a pickle of lists, dictionaries, whole numbers and text.

    ASCII text becomes Python 2's `str`, other text `unicode`. As in Python 2, every container and
    text is noted under a number, and a repeated text is fetched by its number.
    """
    notes: dict[str, int] = {}
    parts: list[str] = []
    _write(value, parts, notes)
    return ("".join(parts) + ".").encode("latin-1")


def _write(value: PlainValue, parts: list[str], notes: dict[str, int]) -> None:
    match value:
        case int():
            parts.append(f"I{value}\n")
        case str() if value in notes:
            parts.append(f"g{notes[value]}\n")
        case str():
            text = value.replace("\\", r"\u005c").replace("\n", r"\u000a")
            escaped = text.encode("raw_unicode_escape").decode("latin-1")
            parts.append(f"S{value!r}\n" if value.isascii() else f"V{escaped}\n")
            _note(value, parts, notes)
        case list():
            parts.append("(l")
            _note(f"\0{len(notes)}", parts, notes)
            for item in value:
                _write(item, parts, notes)
                parts.append("a")
        case dict():
            parts.append("(d")
            _note(f"\0{len(notes)}", parts, notes)
            for key, item in value.items():
                _write(key, parts, notes)
                _write(item, parts, notes)
                parts.append("s")


def _note(name: str, parts: list[str], notes: dict[str, int]) -> None:
    notes[name] = len(notes)
    parts.append(f"p{notes[name]}\n")
