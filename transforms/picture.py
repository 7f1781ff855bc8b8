"""The check that the bytes of a picture may enter a shard, and the turning of rotated pictures.

An ordinary JPEG is proven from its markers (`transforms.jpeg`), in microseconds. Anything else is
opened and decoded by Pillow, as the readers of a shard do.
"""

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.Image import Transpose

from schemas.limits import MAX_IMAGE_PIXELS, MAX_JPEG_SCANS
from schemas.rejection import Reason, Rejected
from transforms import jpeg

# The formats we take, by Pillow's names, and how they begin. MPO begins as the JPEG that it is.
_FORMATS = re.compile(
    rb"(?P<JPEG>\xff\xd8\xff)|(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<GIF>GIF8[79]a)"
    rb"|(?P<WEBP>RIFF....WEBP)|(?P<BMP>BM)",
    re.DOTALL,
)

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

# What Pillow raises on damaged bytes.
_DAMAGE = (OSError, SyntaxError, ValueError, IndexError, struct.error)


class PictureError(Rejected):
    """A picture that may not enter a shard, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that may enter a shard. Its size is that of the stored pixels, before any turn."""

    width: int  # pixels
    height: int  # pixels
    orientation: int  # EXIF: 1 is upright, 2 to 8 are turned
    untouched: bool  # True: the bytes may enter unchanged; False: as `upright` rewrites them


def inspect(data: bytes | memoryview, max_pixels: int = MAX_IMAGE_PIXELS) -> Picture:
    """Return the stored size and the orientation of a picture that decodes.

    Raises:
        PictureError: the file is no still JPEG, PNG, GIF, WEBP or BMP of 8 bits per channel and at
            most `max_pixels` pixels, does not decode, or has more than `MAX_JPEG_SCANS` scans.
    """
    if not data:
        raise PictureError(Reason.IMAGE_EMPTY, "0 bytes")
    frame = jpeg.prove(data)
    if frame is None or not frame.plain:
        return _inspect_with_pillow(bytes(data), max_pixels, proven=frame is not None)
    _check_size(frame.width, frame.height, max_pixels)
    return Picture(width=frame.width, height=frame.height, orientation=1, untouched=True)


def header(data: bytes) -> Picture:
    """Return the stored size and the orientation of a picture by its header, without decoding it.

    Raises:
        PictureError: the header cannot be read.
    """
    with _named_faults(data), _quiet(), _open(data) as image:
        width, height = image.size
        return Picture(
            width=width, height=height, orientation=_orientation(image) or 1, untouched=False
        )


def upright(data: bytes | memoryview, orientation: int) -> bytes:
    """Return a picture that `inspect` accepted with its pixels upright and without metadata.

    A JPEG stays a JPEG of the same channels, at quality 95 without chroma subsampling; the other
    formats become PNG. Palette, transparency and colour profile are kept.
    """
    out = BytesIO()
    with _quiet(), _open(bytes(data)) as image:
        image.load()
        turned = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image.copy()
        turned.info = {key: value for key, value in image.info.items() if key == "transparency"}
        profile = image.info.get("icc_profile")
        if image.format in ("JPEG", "MPO"):
            turned.save(out, "JPEG", quality=95, subsampling=0, icc_profile=profile)
        else:
            turned.save(out, "PNG", icc_profile=profile)
    return out.getvalue()


def pixels(data: bytes | memoryview, orientation: int) -> Image.Image:
    """Return a picture that `inspect` accepted as RGB pixels, upright."""
    with _quiet(), _open(bytes(data)) as image:
        shown = image.convert("RGB")
    return shown.transpose(_TURNS[orientation]) if orientation in _TURNS else shown


def _inspect_with_pillow(data: bytes, max_pixels: int, *, proven: bool) -> Picture:
    with _named_faults(data), _quiet(), _open(data) as image:
        _check_size(image.width, image.height, max_pixels)
        _check_kind(image)
        if not proven:
            _check_scans(image, data)
            image.load()
        orientation = _orientation(image)
        width, height = image.size
    return Picture(
        width=width,
        height=height,
        orientation=orientation or 1,
        untouched=orientation == 1,
    )


@contextmanager
def _named_faults(data: bytes) -> Iterator[None]:
    """Raise what Pillow raises on a picture as `PictureError`, with the reason."""
    try:
        yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(Reason.IMAGE_OVER_PIXEL_CAP, str(error)) from error
    except _DAMAGE as error:
        raise _damaged(data, error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's warnings about large pictures, corrupt EXIF, malformed MPO and APNG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _open(data: bytes) -> ImageFile.ImageFile:
    """Open a picture in one of the accepted formats, without decoding it."""
    match = _FORMATS.match(data)
    if match is None or match.lastgroup is None:
        raise PictureError(Reason.IMAGE_NOT_AN_IMAGE, f"begins with {data[:12]!r}")
    return Image.open(BytesIO(data), formats=[match.lastgroup])


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        detail = f"{width} x {height} pixels, at most {max_pixels} in all"
        raise PictureError(Reason.IMAGE_OVER_PIXEL_CAP, detail)


def _check_kind(image: ImageFile.ImageFile) -> None:
    """Raise `PictureError` for several frames or 16-bit PNG samples, which Pillow would reduce."""
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise PictureError(Reason.IMAGE_ANIMATED, f"{image.format} with several frames")
    if image.format == "PNG" and any("16" in str(tile.args) for tile in image.tile):
        raise PictureError(Reason.IMAGE_16_BIT, "16 bits per channel, expected 8")


def _check_scans(image: ImageFile.ImageFile, data: bytes) -> None:
    """Raise `PictureError` for a JPEG of so many scans that decoding takes minutes."""
    if image.format in ("JPEG", "MPO") and (scans := jpeg.most_scans(data)) > MAX_JPEG_SCANS:
        detail = f"{scans} scans, at most {MAX_JPEG_SCANS} are decoded"
        raise PictureError(Reason.IMAGE_UNREADABLE, detail)


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF (or XMP) orientation, None where reading it fails in any reader."""
    try:
        value = image.getexif().get(Base.Orientation, 1)
    except _DAMAGE:
        return None
    return int(value) if value in _TURNS else 1


def _damaged(data: bytes, error: Exception) -> PictureError:
    """Return the reason why Pillow failed: unsupported samples, a missing end, or other damage."""
    bits = jpeg.sample_bits(data) if data.startswith(jpeg.SIGNATURE) else None
    if bits in (12, 16):
        return PictureError(Reason.IMAGE_16_BIT, f"{bits} bits per channel, expected 8")
    # Pillow's message on a header that it cannot parse holds an address in memory.
    detail = "damaged header" if isinstance(error, UnidentifiedImageError) else str(error)
    if _has_its_end(data):
        return PictureError(Reason.IMAGE_UNREADABLE, detail)
    return PictureError(Reason.IMAGE_TRUNCATED, f"{detail}; no end after {len(data)} bytes")


def _has_its_end(data: bytes) -> bool:
    """Return whether the bytes reach the end mark or the stated length of their format."""
    if data.startswith(jpeg.SIGNATURE):
        return data.endswith(jpeg.END)
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-12:]
    if data.startswith(b"GIF"):
        return data.endswith(b";")
    if data.startswith(b"RIFF"):
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    return int.from_bytes(data[2:6], "little") <= len(data)
