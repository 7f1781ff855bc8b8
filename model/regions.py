"""The reading of a user's regions: boxes, masks, run lengths and records, checked.

Every region is in the frame of the owner's picture, upright:

    (12.0, 30.5, 200.0, 310.0)                     a box: x0, y0, x1, y1 in pixels
    numpy.array([[False, True], ...])              a mask [height, width]
    {"size": [480, 640], "counts": "..."}          a mask as COCO's run lengths
    {"bbox": (12.0, ...), "mask": {"size": ...}}   a record's region, which may have both
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, naming
from model.frame import Frame
from model.regiongpt.coverage import Sampling, box_coverages, mask_coverages
from model.runs import Runs
from schemas.geometry import Box, fit_box
from schemas.mask import RunLengths, checked_counts
from schemas.rejection import Rejected

RegionAs = Literal["box", "mask"]
Region = Any  # one of the forms above; tensors and nested lists are taken as arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A checked region: a box inside the picture, or the pixels of a mask."""

    box: Box | None = None  # xyxy, owner's pixels
    mask: Runs | None = None  # of the owner's pixels, in place of a box
    clipped: bool = False  # the user's box reached beyond the picture

    @property
    def bounds(self) -> Box:
        """The box, or that around the mask's pixels."""
        if self.box is not None:
            return self.box
        assert self.mask is not None
        return self.mask.bounds


def read_regions(
    regions: Mapping[int, Region], size: tuple[int, int], region_as: RegionAs, name: str
) -> list[Shape]:
    """Return the regions of a row after checking them.

    A box that reaches too far gives a warning, and so does one that seems to be in shares of the
    picture: all of it lies in the first pixel.

    Args:
        regions: by number, from 1.
        size: the width and height of the owner's picture, pixels.
        region_as: see `read_region`.
        name: the row's, for errors and warnings.
    """
    shapes = []
    together = _masks_together(regions, size, region_as)
    for number, region in regions.items():
        if (mask := together.get(number)) is not None:
            shapes.append(Shape(mask=mask))
            continue
        subject = f"{name}: region {number}"
        with naming(subject):
            shapes.append(read_region(region, *size, region_as))
        if shapes[-1].clipped:
            beyond = f"its box reaches beyond the picture of {size[0]} x {size[1]}"
            warnings.warn(f"{subject}: {beyond}, and is clipped to it", stacklevel=2)
        if shapes[-1].box is not None and max(shapes[-1].box) <= 1 < min(size):
            corners = "x0, y0, x1, y1 are pixels, not shares of the picture"
            warnings.warn(
                f"{subject}: its box lies in the picture's first pixel: {corners}", stacklevel=2
            )
    return shapes


def model_boxes(shapes: Sequence[Shape], frame: Frame) -> NDArray[np.float32]:
    """Return the boxes [K, 4] of regions, xyxy in pixels of the model's picture."""
    boxes = np.array([frame.to_model(shape.bounds) for shape in shapes], np.float32)
    return boxes.reshape(-1, 4).clip(0, frame.size)


def model_weights(
    shapes: Sequence[Shape],
    frame: Frame,
    grid: int,
    name: str,
    sampling: Sampling = Sampling.AREA,
) -> NDArray[np.float32]:
    """Return the share [K, G, G] of each cell that the regions cover.

    Args:
        shapes: the regions.
        frame: the owner's picture in the model's.
        grid: the number G of cells on a side.
        name: the row's, for the warning of regions that no cell touches.
        sampling: of masks.
    """
    boxes = [shape.box for shape in shapes if shape.box is not None]
    masks = [shape.mask for shape in shapes if shape.mask is not None]
    of_boxes = iter(box_coverages(boxes, frame, grid))
    of_masks = iter(mask_coverages(masks, frame, grid, sampling))
    coverages = [next(of_boxes if shape.mask is None else of_masks) for shape in shapes]
    outside = sum(coverage.is_fallback for coverage in coverages)
    if outside:
        where = "lie in the margin of the picture that no whole patch covers"
        if sampling is Sampling.BILINEAR:
            where += ", or between the samples of a mask"
        warnings.warn(f"{name}: {outside} regions {where}: the nearest cell counts", stacklevel=2)
    return np.stack([coverage.cells for coverage in coverages])


def read_region(region: Region, width: int, height: int, region_as: RegionAs) -> Shape:
    """Return a user's region after checking it.

    Args:
        region: a box, a mask, run lengths or a record's region, see the module.
        width: the width of the owner's picture, pixels.
        height: the height of the owner's picture, pixels.
        region_as: the form to take of a record's region that has both.

    Raises:
        InputError: the region is of another form, or has no part in the picture.
    """
    try:
        if not isinstance(region, Mapping):
            return _from_array(region, width, height)
        if "counts" in region:
            return _from_mask(_decoded(region, width, height))
        if "segmentation" in region:
            raise InputError(
                "an annotation of COCO's, whose bbox is x, y, width, height: expected a record's "
                "region, whose bbox is x0, y0, x1, y1"
            )
        box, mask = region.get("bbox"), region.get("mask")
        if mask is not None and (region_as == "mask" or box is None):
            return read_region(mask, width, height, region_as)
        if box is not None:
            return _from_box(box, width, height)
    except Rejected as error:
        raise InputError(error.detail) from error
    raise InputError(f"expected the key bbox, mask or counts, found {sorted(map(str, region))}")


def _masks_together(
    regions: Mapping[int, Region], size: tuple[int, int], region_as: RegionAs
) -> dict[int, Runs]:
    """Return the masks of records' regions by number, read at once.

    There are none where one is not sound: `read_region` names its fault.
    """
    width, height = size
    counts = {
        number: region["mask"]["counts"]
        for number, region in regions.items()
        if _has_stored_mask(region, region_as) and tuple(region["mask"]["size"]) == (height, width)
    }
    masks = Runs.of_masks(list(counts.values()), height, width)
    return {} if masks is None else dict(zip(counts, masks, strict=True))


def _has_stored_mask(region: Region, region_as: RegionAs) -> bool:
    """Return whether the mask of a region is read, and is as shards have it."""
    if not isinstance(region, Mapping) or "counts" in region or "segmentation" in region:
        return False
    if region_as != "mask" and region.get("bbox") is not None:
        return False
    match region.get("mask"):
        case {"size": [int(), int()], "counts": str(counts)}:
            return counts.isascii()
    return False


def _from_array(region: Any, width: int, height: int) -> Shape:
    try:
        values = np.asarray(region)
    except (TypeError, ValueError):  # lists of different lengths
        values = np.asarray(None)
    if values.ndim == 1 and values.dtype.kind in "iuf":
        return _from_box(values, width, height)
    if values.ndim == 2 and isinstance(region, list | tuple) and values.shape != (height, width):
        raise InputError(
            f"lists of numbers, {_described(region)}: expected a box of four numbers or a mask "
            "[height, width]; a polygon is drawn as a mask first"
        )
    if values.ndim == 2:
        return _from_pixels(values, width, height)
    raise InputError(
        "expected a box of four numbers, a mask [height, width], run lengths or a record's region, "
        f"found {_described(region)}"
    )


def _from_box(box: Any, width: int, height: int) -> Shape:
    numbers = np.asarray(box).tolist()
    if not isinstance(numbers, list) or len(numbers) != 4:
        raise InputError(f"a box of {_described(box)}, expected x0, y0, x1, y1")
    if not all(isinstance(number, int | float) for number in numbers):
        raise InputError(f"a box of {_described(box)}, expected four numbers")
    x0, y0, x1, y1 = map(float, numbers)
    box, clipped = fit_box((x0, y0, x1, y1), width, height)
    return Shape(box=box, clipped=clipped)


def _from_pixels(values: Any, width: int, height: int) -> Shape:
    if values.shape != (height, width):
        raise InputError(
            f"a mask of {values.shape[1]} x {values.shape[0]} pixels on a picture of "
            f"{width} x {height}"
        )
    if values.dtype != np.bool_:
        if values.dtype.kind not in "iu" or not np.isin(values, (0, 1, 255)).all():
            raise InputError(
                f"a mask of {values.dtype}, expected bool, or integers 0 and 1 (or 255)"
            )
        values = values != 0
    return _from_mask(Runs.of_pixels(values))


def _from_mask(mask: Runs) -> Shape:
    if not len(mask):
        raise InputError("an empty mask, expected one pixel at least")
    return Shape(mask=mask)


def _decoded(region: Mapping[str, Any], width: int, height: int) -> Runs:
    counts = region["counts"]
    if isinstance(counts, bytes):  # as pycocotools returns them
        counts = counts.decode("ascii", "replace")
    try:
        runs = msgspec.convert({"size": region.get("size"), "counts": counts}, RunLengths)
    except msgspec.ValidationError as error:
        raise InputError(f"malformed run lengths: {error}") from error
    return Runs.of_lengths(checked_counts(runs, height, width), height, width)


def _described(region: Any) -> str:
    words = repr(region)
    return words if len(words) <= 60 else f"{words[:60]}..."
