"""Masks in other forms than COCO's, read where only one reading is possible.

[x0, y0, x1, y1, ...]                  one polygon, not in a list of polygons
[[x0, y0], [x1, y1], ...]              one polygon, in pairs; also a list of such polygons
[{"x": x0, "y": y0}, ...]              the same, with names
[[], [x0, y0, ...], [x0, y0]]          parts of no, one or two points beside a polygon
[{"counts": ..., "size": ...}]         run lengths in a list; several are united
{"counts": "b'PPYo1'", "size": ...}    run lengths as Python prints bytes
"[[x0, y0, ...]]"                      JSON within a text; numbers may be text as well
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.geometry import Box
from schemas.json_decoding import decode, decode_any
from schemas.limits import MAX_IMAGE_SIDE, MIN_POLYGON_NUMBERS
from schemas.mask import (
    Mask,
    RunLengths,
    Shape,
    bounds_of,
    decode_shape,
    malformed,
    mask_and_bounds,
    mask_of,
    polygon_masks,
    union,
)
from schemas.numbers import number_of, whole_of
from schemas.rejection import Rejected, Repair

_STRAY = (2, 4)  # the numbers of one or two points
_DEEPEST = 4  # lists within lists
_ALL_POLYGONS = msgspec.json.Decoder(list[list[list[float]]])  # of an image's regions


class MaskReading(NamedTuple):
    """What a segmentation holds."""

    mask: Mask | None = None  # None: nothing
    repair: Repair | None = None  # that it needed
    bounds: Box | None = None  # of its polygons, xyxy in pixels; None: it has run lengths


def read_masks(raws: Sequence[bytes], height: int, width: int) -> list[MaskReading | Rejected]:
    """Return what the segmentations in one image hold, or why one cannot be read.

    Arguments and errors are those of `read_mask`, but nothing is raised.
    """
    try:
        return _read_at_once(raws, height, width) if raws else []  # as nearly all can be read
    except (msgspec.DecodeError, Rejected):
        return [_read_or_cause(raw, height, width) for raw in raws]


def read_mask(raw: bytes, height: int, width: int) -> MaskReading:
    """Return what a segmentation holds.

    Args:
        raw: the JSON text of the value; empty for an annotation without a segmentation.
        height: the height of the annotated image, pixels.
        width: the width of the annotated image, pixels.

    Raises:
        Rejected: `mask_malformed`, `mask_size_mismatch` or `image_over_pixel_cap`.
    """
    shapes, repair = _read_shapes(raw)
    if not shapes:
        return MaskReading()
    if len(shapes) == 1:
        mask, bounds = mask_and_bounds(shapes[0], height, width)
        return MaskReading(mask, repair, bounds)
    return MaskReading(union([mask_of(shape, height, width) for shape in shapes]), repair)


def _read_at_once(raws: Sequence[bytes], height: int, width: int) -> list[MaskReading | Rejected]:
    """Return what segmentations hold that are polygons in COCO's form; raise an error if not."""
    shapes = decode(_ALL_POLYGONS, b"[%b]" % b",".join(raws))
    if len(shapes) != len(raws) or not all(shapes):
        raise malformed("expected polygons in COCO's form")
    return [
        MaskReading(mask, None, bounds) for mask, bounds in polygon_masks(shapes, height, width)
    ]


def _read_or_cause(raw: bytes, height: int, width: int) -> MaskReading | Rejected:
    try:
        return read_mask(raw, height, width)
    except Rejected as cause:
        return cause


def mask_bounds(raw: bytes) -> Box | None:
    """Return the bounds of a segmentation, xyxy in pixels; None where it holds no usable mask."""
    try:
        shapes, _ = _read_shapes(raw)
        boxes = [_bounds(shape) for shape in shapes]
    except Rejected:
        return None
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _bounds(shape: Shape) -> Box:
    if isinstance(shape, RunLengths):
        return mask_of(shape, *shape.size).box()
    if any(len(polygon) % 2 or not _is_near(polygon) for polygon in shape):
        raise malformed("expected pairs of numbers")
    return bounds_of(shape)


def _is_near(polygon: Sequence[float]) -> bool:
    return min(polygon) >= -MAX_IMAGE_SIDE and max(polygon) <= 2 * MAX_IMAGE_SIDE


def _read_shapes(raw: bytes) -> tuple[list[Shape], Repair | None]:
    """Return the shapes whose union is the mask, none where it is empty, and the repair needed.

    Raises:
        Rejected: `mask_malformed`.
    """
    try:
        shape = decode_shape(raw)
        if not shape:
            return [], None
        if _is_cocos(shape):
            return [shape], None
    except Rejected:
        shape = None
    value = _decoded(raw)
    if isinstance(value, dict):
        value = [value] if value else []
    if isinstance(value, list) and value and all(_is_run_lengths(part) for part in value):
        return [_run_lengths(part) for part in value], Repair.MASK_REREAD
    polygons = [polygon for polygon in _polygons(value) if polygon]
    whole = [polygon for polygon in polygons if len(polygon) not in _STRAY]
    if polygons and not whole:
        raise malformed("no part of it has three points, which a polygon needs")
    if len(whole) < len(polygons):
        return [whole], Repair.MASK_STRAY_PARTS
    as_written = isinstance(shape, list) and polygons == [part for part in shape if part]
    return [whole] if whole else [], None if as_written else Repair.MASK_REREAD


def _is_cocos(shape: Shape) -> bool:
    """Return whether a shape needs no other reading than COCO's."""
    if isinstance(shape, RunLengths):
        return not (isinstance(shape.counts, str) and shape.counts.startswith(("b'", 'b"')))
    return all(len(polygon) >= MIN_POLYGON_NUMBERS for polygon in shape)


def _decoded(raw: bytes | str) -> Any:
    try:
        value = decode_any(raw)
        is_json = isinstance(value, str) and value.lstrip()[:1] in ("[", "{")
        return decode_any(value) if is_json else value or None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"expected polygons or run lengths: {error}") from None


def _is_run_lengths(part: object) -> bool:
    return isinstance(part, dict) and "counts" in part


def _run_lengths(part: dict[str, Any]) -> RunLengths:
    counts, size = part["counts"], part.get("size")
    if isinstance(counts, str) and counts[:2] in ("b'", 'b"') and counts[-1] == counts[1]:
        counts = counts[2:-1].replace("\\\\", "\\")
    elif isinstance(counts, list):
        counts = [run if (whole := whole_of(run)) is None else whole for run in counts]
    if isinstance(size, list):
        size = [side if (whole := whole_of(side)) is None else whole for side in size]
    try:
        return msgspec.convert({"size": size, "counts": counts}, RunLengths)
    except msgspec.ValidationError as error:
        raise malformed(f"expected run lengths: {error}") from None


def _polygons(value: Any, depth: int = 0) -> list[list[float]]:
    """Return the polygons in lists of numbers, of points, or of such lists."""
    if value is None or value == []:
        return []
    if not isinstance(value, list) or depth > _DEEPEST:
        raise malformed(f"expected polygons or run lengths, got {str(value)[:60]}")
    numbers = [number_of(part) for part in value]
    if None not in numbers:
        return [[number for number in numbers if number is not None]]
    points = [_point(part) for part in value]
    if len(points) > 2 and None not in points:
        return [[number for point in points for number in point or ()]]
    return [polygon for part in value for polygon in _polygons(_listed(part), depth + 1)]


def _listed(part: Any) -> Any:
    """Return a point with names as a list."""
    return _point(part) or part


def _point(part: Any) -> list[float] | None:
    """Return the coordinates of `[x, y]` or `{"x": x, "y": y}`; None for anything else."""
    if isinstance(part, dict) and part.keys() >= {"x", "y"}:
        part = [part["x"], part["y"]]
    if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 2:
        return None
    x, y = map(number_of, part)
    return None if x is None or y is None else [x, y]
