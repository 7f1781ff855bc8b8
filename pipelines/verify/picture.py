"""The check of one picture: readers must get the pixels that the record's boxes refer to."""

import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import xxhash
from PIL import Image

from pipelines.datasets.common.paths import check_file_name
from pipelines.storage import files
from schemas.check import Row
from schemas.manifest import ImagesMode
from schemas.rejection import Rejected
from transforms.orientation import upright_size
from transforms.picture import Picture, inspect, upright

# What Pillow raises on damaged bytes.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The folders of pictures that a verification reads beside the shards."""

    referenced: str | None = None  # of the pictures that records only refer to; None: not read
    owners: Sequence[str] = ()  # of the owners' pictures, to compare with; none: not compared


def picture_problem(row: Row, images: ImagesMode, roots: Roots) -> str | None:
    """Return the problem of a record's picture; None without a problem or without a picture.

    Args:
        row: the record, its `width` and `height` in pixels.
        images: the mode of the build: records hold the bytes, or only a path.
        roots: the folders of pictures to read.
    """
    if (image := row["image"]) is None:
        return None
    try:
        path = check_file_name(image["path"] or "")
    except Rejected as cause:
        return f"image path: {cause.detail}"
    size = row["width"], row["height"]
    if images == "embed":
        data = image["bytes"] or b""
        problem = _embedded(data, size) or _wrong_hash(data, row["image_hash"])
        return problem or (_other_picture(data, path, roots.owners) if roots.owners else None)
    if image["bytes"] is not None:
        return f"image holds {len(image['bytes'])} bytes, expected a path only"
    if roots.referenced is None:
        return None
    return _referenced(files.join(roots.referenced, path), size, row["image_hash"])


def _embedded(data: bytes, size: tuple[int, int]) -> str | None:
    """Return the problem of an embedded picture, which must decode, be upright and fit in size."""
    try:
        picture = inspect(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(BytesIO(data)).load()
    except Rejected as cause:
        return f"{cause.reason}: {cause.detail}"
    except _DAMAGE as error:
        return f"image does not decode: {error}"
    if picture.orientation != 1:
        return f"image has the EXIF orientation {picture.orientation}, expected 1, upright"
    if not picture.untouched:
        return "image has EXIF data that does not parse, expected none"
    if (picture.width, picture.height) != size:
        return _other_size((picture.width, picture.height), size)
    return None


def _other_picture(stored: bytes, name: str, folders: Sequence[str]) -> str | None:
    """Return the problem of a stored picture that is not the owner's, as a build stores it."""
    paths = [files.join(folder, name) for folder in folders]
    path = next(filter(files.exists, paths), paths[0])
    try:
        data, picture = _opened(path)
    except Rejected as cause:
        return f"the owner's {path}: {cause.reason}: {cause.detail}"
    except OSError as error:
        return f"the owner's image cannot be read: {error}"
    expected = data if picture.untouched else upright(data, picture.orientation)
    return None if stored == expected else f"image is not the owner's {path}"


def _referenced(path: str, size: tuple[int, int], stated: str | None) -> str | None:
    """Return the problem of a referenced picture, whose stored or upright size must fit."""
    try:
        data, picture = _opened(path)
    except Rejected as cause:
        return f"{cause.reason}: {cause.detail}"
    except OSError as error:
        return f"image cannot be read: {error}"
    stored = picture.width, picture.height
    if size not in (stored, upright_size(picture)):
        return _other_size(stored, size)
    return None if stated is None else _wrong_hash(data, stated)


def _opened(path: str) -> tuple[bytes, Picture]:
    """Return the bytes of a file and the picture that they are."""
    with files.open_read(path) as file:
        data = file.read()
    return data, inspect(data)


def _wrong_hash(data: bytes, stated: str | None) -> str | None:
    actual = f"xxh128:{xxhash.xxh128_hexdigest(data)}"
    return None if stated == actual else f"image_hash is {stated!r}, the image has {actual}"


def _other_size(size: tuple[int, int], expected: tuple[int, int]) -> str:
    return f"image is {size[0]} x {size[1]} pixels, the record says {expected[0]} x {expected[1]}"
