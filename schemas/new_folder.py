"""A folder that is written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import RegionForgeError, UsageError


@contextmanager
def new_folder(
    path: str | Path, *, failures: tuple[type[Exception], ...] = (), settle: bool = False
) -> Iterator[Path]:
    """Yield an empty folder that takes the name `path` when the block ends without an error.

    It stands beside its name, e.g. `.model-k3j2x`, and is removed after an error: a disk that is
    full leaves nothing under the name.

    Args:
        path: the name of the folder, which no file and no filled folder has yet.
        failures: errors, beside those of the system, that mean that the folder cannot be written.
        settle: whether to wait until all files are on the disk.

    Raises:
        UsageError: the name is taken, or no folder can be made there.
        RegionForgeError: something could not be written.
    """
    path = Path(path)
    causes: tuple[type[Exception], ...] = (OSError, *failures)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path}: exists already: choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UsageError(f"{path}: cannot be made: {path.parent}: {error.strerror}") from error
    try:
        yield partial
        if settle:
            _settle(partial)
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o777 & ~mask)  # others may read the folder as files they made
        partial.rename(path)
    except causes as error:
        raise RegionForgeError(f"{path}: not written: {_reason(error, partial)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reason(error: Exception, partial: Path) -> str:
    """Return what an error says, without the name that its folder has while it is written."""
    if isinstance(error, OSError) and error.strerror:
        file = Path(str(error.filename or partial))
        inside = file.relative_to(partial) if file.is_relative_to(partial) else file
        named = "" if inside == Path() else f"{inside}: "
        return f"{named}{error.strerror}"
    return str(error).replace(f"{partial}/", "")


def _settle(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
