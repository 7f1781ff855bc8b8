"""The names that a user may have meant by one that is not known."""

from collections.abc import Collection
from difflib import get_close_matches

_SHOWN = 60  # characters of a name


def near(name: str, known: Collection[str]) -> str:
    """Return what to say of a name that is not known: the nearest name, or all of them.

    >>> near("cocoo", ["coco", "lvis"])
    'did you mean coco?'
    >>> near("mine", ["coco", "lvis"])
    'expected one of coco, lvis'
    """
    if meant := get_close_matches(name[:_SHOWN], known, n=1):
        return f"did you mean {meant[0]}?"
    return f"expected one of {', '.join(known)}" if known else "there are none"
