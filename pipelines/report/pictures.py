"""Small pictures as data URIs: whole images, crops of boxes, and the pictures of rejected ones."""

import msgspec
from PIL import Image

from pipelines.datasets.common.paths import check_file_name
from pipelines.output.picture import NoPictureError
from pipelines.preview.picture import data_uri
from pipelines.storage import files
from schemas.errors import InputFileError
from schemas.geometry import Box
from schemas.rejection import Rejected
from transforms.crop import SHOWN_SIDE, crop
from transforms.picture import inspect, pixels

_CROP_SIDE, _CARD_SIDE, _WHOLE_SIDE = 224, 280, 640  # pixels of a picture's longer side, at most
_QUALITY = 80


class Thumbnail(msgspec.Struct, frozen=True):
    """A JPEG, never larger than the picture that it shows."""

    uri: str
    width: int  # pixels
    height: int  # pixels


def whole(image: Image.Image) -> Thumbnail:
    """Return a picture for the view of one record."""
    return _thumbnail(image, _WHOLE_SIDE)


def small(image: Image.Image) -> Thumbnail:
    """Return a picture for a card."""
    return _thumbnail(image, _CARD_SIDE)


def cut_out(image: Image.Image, box: Box) -> Thumbnail:
    """Return the crop of a box, widened to as many pixels as a captioner is shown.

    Args:
        image: an upright picture.
        box: xyxy, pixels of the picture; parts beyond the picture are left out.
    """
    return _thumbnail(crop(image, box, 0.0, SHOWN_SIDE), _CROP_SIDE)


def owners_picture(root: str, name: str) -> Image.Image:
    """Return a picture below the data root, upright and as RGB.

    Raises:
        NoPictureError: it is not there, or cannot be used.
    """
    try:
        data = files.FileStore().read(files.join(root, check_file_name(name)))
        return pixels(data, inspect(data).orientation)
    except (Rejected, InputFileError, OSError) as error:
        raise NoPictureError(str(error)) from None


def _thumbnail(image: Image.Image, side: int) -> Thumbnail:
    copy = image.copy()
    copy.thumbnail((side, side))
    return Thumbnail(data_uri(copy, "JPEG", quality=_QUALITY), *copy.size)
