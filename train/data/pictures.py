"""The picture of a row: the bytes in the shard, or the file that a reference build names."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Any

from schemas.errors import InputFileError, UsageError
from schemas.limits import MAX_IMAGE_BYTES


def picture_bytes(row: Mapping[str, Any], image_root: Path | None) -> bytes | None:
    """Return the bytes of a row's picture file; None for a row of text only.

    Args:
        row: see `schemas.shard`.
        image_root: the folder that paths of a build with `--images reference` are below.

    Raises:
        UsageError: the picture is a reference, and no folder is named.
        InputFileError: the file cannot be read, or lies outside the folder.
    """
    image = row["image"]
    if image is None:
        return None
    if image["bytes"] is not None:
        return bytes(image["bytes"])
    name = image["path"]
    if image_root is None:
        raise UsageError(
            f"{row['id']}: the shards hold references to pictures ({name!r}): name the folder "
            "below which they lie by --image-root"
        )
    path = image_root / _below(name, row["id"])
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise InputFileError(f"{path}: not a regular file ({row['id']})")
        if status.st_size > MAX_IMAGE_BYTES:
            raise InputFileError(
                f"{path}: {status.st_size} bytes, expected {MAX_IMAGE_BYTES} at most ({row['id']})"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror} ({row['id']})") from None


def _below(name: str, row_id: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InputFileError(f"{row_id}: the picture {name!r} lies outside the folder of pictures")
    return path
