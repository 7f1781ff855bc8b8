"""A folder that is written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from schemas.errors import RegionForgeError, UsageError


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder that takes the name `path` when the block ends without an error.

    It stands beside its name, e.g. `.model-k3j2x`, and is removed after an error: a disk that is
    full leaves nothing under the name.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path}: exists already: choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UsageError(f"{path}: cannot be made: {error}") from error
    try:
        yield partial
        _settle(partial)
        partial.rename(path)
    except (OSError, SafetensorError) as error:
        raise RegionForgeError(f"{path}: not written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Wait until all files are on the disk, and let others read the folder as files they made."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
