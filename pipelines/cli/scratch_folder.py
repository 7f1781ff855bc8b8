"""Folders that a command empties or fills: only those that bear a marker of an earlier run."""

from pathlib import Path

from pipelines.storage import files
from schemas.errors import UsageError


def local_folder(path: str) -> Path:
    """Return a folder of this machine, or raise `UsageError` for a remote one."""
    if not path or not files.is_local(path):
        raise UsageError(f"{path!r}: expected a folder of this machine")
    return Path(path)


def check_marked(folder: Path, marker: str) -> None:
    """Raise `UsageError` for a folder that holds files, and not the marker among them."""
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise UsageError(f"{folder} holds files of yours; name a folder that is empty or not there")


def mark_folder(folder: Path, marker: str) -> None:
    """Make a folder where it is missing, and put the marker into it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / marker).touch()
