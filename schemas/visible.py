"""Foreign text for display: what would not be seen, or would steer a terminal, as escapes."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's controls, formats, surrogates, separators


def visible(text: str) -> str:
    r"""Return the text with invisible characters, except newlines, as escapes.

    >>> visible("left\u202eright")
    'left\\u202eright'
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def one_line(text: str) -> str:
    """Return the text with invisible characters and newlines as escapes."""
    return visible(text).replace("\n", "\\n")


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def abridged(name: str, most: int = 40) -> str:
    """Return a name, or its beginning where it has more than `most` characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
