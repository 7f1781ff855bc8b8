"""The reading of a picture in any of the usual forms, as RGB pixels, upright.

A file or its bytes, a Pillow image, or an array of 8-bit values. What exceeds the limits of
`schemas.limits` is refused before it is decoded. Nothing is fetched: an address is an error.
"""

import os
import re
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.Image import Transpose

from model.errors import InputError
from schemas.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, MAX_JPEG_SCANS

Picture = Image.Image | NDArray[np.uint8] | bytes | bytearray | memoryview | str | os.PathLike[str]

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
_ADDRESS = re.compile(r"data:|[A-Za-z][A-Za-z0-9+.-]+://")
_SCAN = b"\xff\xda"  # the marker before each scan of a JPEG; compressed data never holds it

# EXIF orientation to the turn that sets the stored pixels upright (TIFF 6.0, tag 274).
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

_QUARTER_TURNS = range(5, 9)  # which swap width and height

# What Pillow raises on damaged bytes.
_DAMAGE = (OSError, SyntaxError, ValueError, IndexError, struct.error)


def read_picture(picture: Picture, size: tuple[int, int] | None = None) -> Image.Image:
    """Return a picture as RGB pixels, turned upright by its EXIF orientation.

    Transparency is dropped, as transformers' image processors drop it.

    Args:
        picture: a path; the bytes of a JPEG, PNG, GIF, WEBP or BMP file; a Pillow image; or an
            array of 8-bit values, [height, width] or [height, width, 1, 3 or 4].
        size: the width and height of the frame of its regions, pixels: a file that has this size
            only as it is stored is not turned.

    Raises:
        InputError: the picture is none of these, is damaged, or exceeds a limit.
    """
    if isinstance(picture, Image.Image):
        return _rgb(picture, size)
    if isinstance(picture, np.ndarray):
        return _rgb(_from_array(picture), size)
    if isinstance(picture, str | os.PathLike):
        return _decoded(_file_bytes(picture), size)
    if isinstance(picture, bytes | bytearray | memoryview):
        return _decoded(bytes(picture), size)
    raise InputError(
        "expected a picture as a path, the bytes of a file, a Pillow image or a NumPy array of "
        f"8-bit values, found {type(picture).__name__}"
    )


def _file_bytes(path: str | os.PathLike[str]) -> bytes:
    if isinstance(path, str) and _ADDRESS.match(path):
        raise InputError(f"{path[:80]!r} is an address: fetch the picture first, and pass its path")
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_IMAGE_BYTES:
            return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"the picture's file cannot be read: {getattr(error, 'strerror', error)}"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError("the picture's file cannot be read: it is not a regular file")
    raise InputError(f"{path}: at most {MAX_IMAGE_BYTES} bytes of a picture are read")


def _decoded(data: bytes, size: tuple[int, int] | None) -> Image.Image:
    if len(data) > MAX_IMAGE_BYTES:
        raise InputError(f"a picture of {len(data)} bytes, at most {MAX_IMAGE_BYTES} are read")
    with _damage_named(), Image.open(BytesIO(data), formats=_FORMATS) as image:
        scans = _scans(data) if image.format in ("JPEG", "MPO") else 0
        if scans > MAX_JPEG_SCANS:
            raise InputError(f"a JPEG of {scans} scans, at most {MAX_JPEG_SCANS} are decoded")
        return _rgb(image, size)


def _scans(data: bytes) -> int:
    """Return the number of scans of a JPEG, from its bytes."""
    codes = np.frombuffer(data, np.uint8)
    marker, kind = _SCAN
    return int(np.count_nonzero((codes[:-1] == marker) & (codes[1:] == kind)))


def _rgb(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    _check(image)
    with _damage_named():
        orientation = _orientation(image)
        shown = image if image.mode == "RGB" else image.convert("RGB")
        as_stored = orientation in _QUARTER_TURNS and image.size == size != image.size[::-1]
        if orientation in _TURNS:
            shown = shown.copy() if as_stored else shown.transpose(_TURNS[orientation])
            shown.info = {}  # it is as it should be now, whatever its metadata said
        shown.load()
        return shown


def _check(image: Image.Image) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise InputError(
            f"a picture of {image.width} x {image.height} pixels, at most {MAX_IMAGE_PIXELS} in all"
        )
    if not image.width * image.height:
        raise InputError(f"a picture of {image.width} x {image.height} pixels, expected some")
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise InputError(f"a {image.format} of several frames, expected a still picture")
    if image.mode[0] in "IF":
        raise InputError(f"a picture of mode {image.mode}, expected 8 bits a channel")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except (*_DAMAGE, TypeError):
        return 1


def _from_array(values: NDArray[np.generic]) -> Image.Image:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    shaped = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))
    if values.dtype != np.uint8 or not values.size or not shaped:
        raise InputError(
            "expected an array of uint8, [height, width] or [height, width, channels] with 1, 3 or "
            f"4 channels, found {values.dtype} of shape {list(values.shape)}"
        )
    return Image.fromarray(values)


@contextmanager
def _damage_named() -> Iterator[None]:
    """Turn what Pillow raises on damaged bytes into `InputError`, and silence its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    except InputError:
        raise
    except UnidentifiedImageError as error:  # its message holds an address in memory
        kinds = f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
        raise InputError(f"the picture is no {kinds} file, or its header is damaged") from error
    except (Image.DecompressionBombError, *_DAMAGE) as error:
        raise InputError(f"the picture is damaged: {error}") from error
