"""The check of file names in an owner's file: each name must stay below its folder."""

import re
from pathlib import PurePosixPath, PureWindowsPath

from schemas.rejection import Reason, Rejected

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_UNSAFE_CHARACTER = re.compile(r"[\x00-\x1f\\]|://")


def check_file_name(name: str) -> str:
    """Return the name if it is a safe relative path with forward slashes.

    Raises:
        Rejected: the name is empty, absolute, a URL, or leads out of its folder.
    """
    if _PLAIN.fullmatch(name):
        return name
    path = PurePosixPath(name)
    if (
        not path.name
        or path.is_absolute()
        or ".." in path.parts
        or PureWindowsPath(name).drive
        or _UNSAFE_CHARACTER.search(name)
    ):
        raise Rejected(
            Reason.IMAGE_UNSAFE_PATH,
            f"file_name {name[:200]!r}, expected a path below the image folder",
        )
    return str(path)
