"""The names that a user may have meant by one that is not known."""

from collections.abc import Collection
from difflib import get_close_matches
from os.path import isdir
from pathlib import Path

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


def near_folder(path: str) -> str:
    """Return the folder that was meant by a path where none is, as a question; else no text.

    For `wrld/coco` it is "; did you mean world/coco?", where `world` lies here.
    """
    present, absent = Path(path), list[str]()
    while not isdir(present) and present.name:
        absent.insert(0, present.name)
        present = present.parent
    try:
        beside = [each.name for each in present.iterdir() if each.is_dir()]
    except OSError:
        return ""
    meant = get_close_matches(absent[0][:_SHOWN], beside, n=1) if absent else []
    return f"; did you mean {present.joinpath(*meant, *absent[1:])}?" if meant else ""
