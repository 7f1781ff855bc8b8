"""Output folders that a command may empty, since a marker file shows that it made them."""

from pathlib import Path

from pipelines.cli.arguments import output_folder
from pipelines.storage import files
from schemas.errors import UsageError


def local_folder(path: str) -> Path:
    """Return the path of a local folder, or raise `UsageError` for another path."""
    if not path or not files.is_local(path):
        raise UsageError(f"{path!r}: expected a folder of this machine")
    return Path(output_folder(path))


def check_marked(folder: Path, marker: str) -> None:
    """Raise `UsageError` for a folder that holds files but not the marker file."""
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise UsageError(f"{folder} holds files of yours; name a folder that is empty or not there")


def mark_folder(folder: Path, marker: str) -> None:
    """Make a folder, if it does not exist, and write the marker file into it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / marker).touch()
