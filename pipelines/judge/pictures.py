"""The pictures that a judge sees of an item: the regions of its record, cut out as GAR does.

The part of the picture that shows a region is the box of its mask, each side raised to at least 56
pixels about the middle, and then as much again on all four sides; it ends where the picture ends.
The mask is sent in the same part, white on black. About relations of several regions the whole
picture is sent first.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from pipelines.judge.build import EvaluationBuild, Record
from pipelines.output.picture import NoPictureError, record_picture
from pipelines.recap.captioning.captioner import NamedPicture
from prompts.judge import CROP, DESCRIBED, MASK, WHOLE, JudgePrompt
from schemas.errors import InputFileError
from schemas.geometry import Box
from schemas.judged import Bench
from schemas.mask import BoolImage, Mask
from transforms.crop import crop, encode_jpeg

MIN_SIDE = 56  # pixels
_CONTEXT = 1.0  # margin on each side, as a share of the side
_MAX_PIXELS = 1024 * 1024  # of a sent picture


def picture_prompts(bench: Bench) -> tuple[JudgePrompt, ...]:
    """Return the prompts that name the pictures of a benchmark."""
    return (CROP, MASK) if bench == "dlc" else (WHOLE, CROP, MASK)


def item_pictures(
    bench: Bench, build: EvaluationBuild, item: str, image_root: str | None
) -> tuple[NamedPicture, ...]:
    """Return the pictures to send with a question about an item, in order.

    Args:
        bench: decides whether the item is one region, or the relation of all regions asked about.
        build: the build that asks about the item.
        item: the item.
        image_root: the folder of pictures that the build only refers to, if any.

    Raises:
        InputFileError: the build does not ask about the item, or its picture or a mask is missing.
    """
    record = build.record(item)
    if record is None:
        raise InputFileError(f"{build.folder} asks nothing about {item!r}: no picture to send")
    try:
        picture = record_picture(record, image_root)
    except NoPictureError as error:
        raise InputFileError(f"{build.folder}: the picture of {item!r} {error}") from None
    if bench == "dlc":
        (mask,) = _masks(build, item, record, [_region_number(record, item)])
        return _views(picture, mask, DESCRIBED)
    masks = _masks(build, item, record, range(len(record["regions"])))
    whole = NamedPicture(WHOLE.text, encode_jpeg(picture, _MAX_PIXELS))
    views = [_views(picture, mask, f"<Prompt{number}>") for number, mask in enumerate(masks)]
    return (whole, *(view for pair in views for view in pair))


def _region_number(record: Record, item: str) -> int:
    ids = [region["region_id"] for region in record["regions"]]
    return ids.index(item) if item in ids else 0


def _masks(
    build: EvaluationBuild, item: str, record: Record, numbers: Sequence[int]
) -> list[BoolImage]:
    regions = [region for n, region in enumerate(record["regions"]) if n in numbers]
    values = [region["mask"] for region in regions]
    if not values or None in values:
        raise InputFileError(f"{build.folder}: {item!r} has no mask to send: record {record['id']}")
    shapes = [(*value["size"], value["counts"]) for value in values]
    masks = [Mask(height, width, counts).pixels() for height, width, counts in shapes]
    if not all(mask.any() for mask in masks):
        raise InputFileError(f"{build.folder}: the mask of {item!r} is empty")
    return masks


def _views(picture: Image.Image, mask: BoolImage, name: str) -> tuple[NamedPicture, NamedPicture]:
    box = shown_box(mask)
    shape = Image.fromarray(mask.astype(np.uint8) * 255)
    return (
        NamedPicture(CROP.fill(name=name), encode_jpeg(crop(picture, box, _CONTEXT), _MAX_PIXELS)),
        NamedPicture(MASK.fill(name=name), encode_jpeg(crop(shape, box, _CONTEXT), _MAX_PIXELS)),
    )


def shown_box(mask: BoolImage) -> Box:
    """Return the box of a mask, xyxy, with sides of at least `MIN_SIDE`; it may leave the picture.

    >>> mask = np.zeros((48, 64), bool)
    >>> mask[10:20, 8:24] = True
    >>> shown_box(mask)
    (-12.0, -13.0, 44.0, 43.0)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, x1 = _raised(float(columns[0]), float(columns[-1] + 1))
    y0, y1 = _raised(float(rows[0]), float(rows[-1] + 1))
    return (x0, y0, x1, y1)


def _raised(low: float, high: float) -> tuple[float, float]:
    more = max(0.0, MIN_SIDE - (high - low)) / 2
    return low - more, high + more
