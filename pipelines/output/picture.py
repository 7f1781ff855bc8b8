"""The picture of a record: embedded in its shard, or a file that the shard refers to."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from pipelines.datasets.common.paths import check_file_name
from pipelines.storage import files
from schemas.errors import InputFileError
from schemas.geometry import swaps_sides
from schemas.rejection import Rejected
from transforms.picture import inspect, upright


class NoPictureError(ValueError):
    """The error for a picture that cannot be shown; the message gives the reason."""


class MissingPictureError(NoPictureError):
    """The error for a picture that is neither in the shard nor below the root."""


def record_picture(record: Mapping[str, Any], image_root: str | None) -> Image.Image:
    """Return a record's picture as RGB, in the frame of the record's boxes.

    Args:
        record: a row of a shard.
        image_root: the folder of pictures that records only refer to; None: there is none.

    Raises:
        NoPictureError: the picture is neither embedded nor below the root, or cannot be shown.
    """
    try:
        with Image.open(BytesIO(picture_bytes(record, image_root))) as stored:
            return _opaque(stored)
    except OSError as error:
        raise NoPictureError(str(error)) from None


def picture_bytes(record: Mapping[str, Any], image_root: str | None) -> bytes:
    """Return the file of a record's picture, upright in the frame of the record's boxes.

    Raises:
        NoPictureError: the picture is neither embedded nor below the root, or cannot be used.
    """
    try:
        data = _bytes(record["image"], image_root)
        picture = inspect(data)
        recorded = record["width"], record["height"]
        size = picture.width, picture.height
        if not picture.untouched:  # of a build by reference: boxes may be in either frame
            orientation = 1 if size == recorded else picture.orientation
            data = upright(data, orientation)
            size = size[::-1] if swaps_sides(orientation) else size
    except InputFileError as error:
        raise MissingPictureError(str(error)) from None
    except (Rejected, OSError) as error:
        raise NoPictureError(str(error)) from None
    if size != recorded:
        raise NoPictureError(f"is {size[0]} × {size[1]} pixels, not as recorded")
    return data


def _bytes(image: Mapping[str, bytes | str | None], image_root: str | None) -> bytes:
    content, path = image["bytes"], image["path"]
    if isinstance(content, bytes):
        return content
    if image_root is None:
        raise MissingPictureError("is not in the shard: give --image-root to see it")
    return files.FileStore().read(files.join(image_root, check_file_name(str(path or ""))))


def _opaque(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, with white in place of transparency."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
