"""Pictures and masks as data URIs, for a page that fetches nothing."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from pipelines.output.picture import record_picture
from pipelines.preview.record import Record
from schemas.mask import BoolImage, Mask

_MAX_SIDE = 960  # pixels
QUALITY = 82
_MASK_OPACITY = (0, 80, 230)  # opacity outside, inside and at the rim of the mask; 0 to 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """The non-empty part of a mask, as a picture to show over the image."""

    x: int  # its top-left corner, pixels of the image
    y: int
    width: int
    height: int
    uri: str


def picture_uri(record: Record, image_root: str | None) -> str:
    """Return a record's picture as a data URI, reduced, in the frame of the record's boxes.

    Raises:
        NoPictureError: the picture is neither embedded nor below the root, or cannot be shown.
    """
    image = record_picture(record, image_root)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return data_uri(image, "JPEG", quality=QUALITY)


def mask_overlay(mask: Mask, colour: str) -> Overlay | None:
    """Return a mask in one colour, more opaque at its rim, else transparent; None if empty."""
    pixels = mask.pixels()
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    part = pixels[top : rows[-1] + 1, left : columns[-1] + 1]
    image = Image.fromarray(part.astype(np.uint8) + (part & ~_inner(part)), "P")
    image.putpalette([0, 0, 0] + 2 * list(bytes.fromhex(colour[1:])))
    return Overlay(
        x=left,
        y=top,
        width=image.width,
        height=image.height,
        uri=data_uri(image, "PNG", bits=2, transparency=bytes(_MASK_OPACITY)),
    )


def _inner(mask: BoolImage) -> BoolImage:
    """Return the mask without the pixels at its rim."""
    padded = np.pad(mask, 1)
    beside = padded[1:-1, :-2] & padded[1:-1, 2:]
    inner: BoolImage = beside & padded[:-2, 1:-1] & padded[2:, 1:-1]
    return inner


def data_uri(image: Image.Image, kind: str, **options: int | bytes) -> str:
    """Return a picture as a data URI; `options` are those of Pillow's `save`."""
    out = BytesIO()
    image.save(out, kind, optimize=True, **options)
    return f"data:image/{kind.lower()};base64,{b64encode(out.getvalue()).decode()}"
