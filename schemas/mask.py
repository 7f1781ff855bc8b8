"""Masks: COCO's compressed run lengths everywhere; other forms are converted at the screen.

A run-length encoding counts pixels down the columns, from the top-left corner, alternately off
and on, starting with off. It is tied to the size of its image. The three forms COCO's files
hold (polygons, run lengths as a list, run lengths as a string) are described at
https://cocodataset.org/#format-data; pycocotools does the rasterising after checks here,
because pycocotools does not check its input.

Length: three forms of masks, each with its checks, and what they share.
"""

import math
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from schemas.geometry import Box, swaps_sides, xyxy
from schemas.json_decoding import decode
from schemas.limits import MAX_MASK_PIXELS, MAX_RUN_DIGITS, MIN_POLYGON_NUMBERS
from schemas.rejection import Reason, Rejected

Polygon = Sequence[float]  # x0, y0, x1, y1, ...; pixels of the annotated image
BoolImage = NDArray[np.bool_]
Numbers = NDArray[np.int64]

_FEW = 32  # characters that a loop decodes as fast as NumPy


class Mask(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A region's pixels in its image."""

    height: int  # pixels
    width: int  # pixels
    counts: str  # COCO compressed run lengths, ASCII

    def area(self) -> int:
        """Return the number of pixels that are on."""
        return int(coco_mask.area(self._rle()))

    def box(self) -> Box:
        """Return the bounds of the pixels that are on, xyxy; without any, a box of no area."""
        x, y, width, height = map(float, coco_mask.toBbox(self._rle()))
        return xyxy(x, y, width, height)

    def pixels(self) -> BoolImage:
        """Return the mask as a boolean image, height x width."""
        on: BoolImage = coco_mask.decode(self._rle()).view(bool)  # of zeros and ones
        return on

    def turned(self, orientation: int) -> "Mask":
        """Return the mask in the frame of the upright image, from an EXIF orientation (1 to 8)."""
        pixels = self.pixels()
        if swaps_sides(orientation):
            pixels = pixels.T
        flips_x, flips_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
        return from_pixels(pixels[:: -1 if flips_y else 1, :: -1 if flips_x else 1])

    def _rle(self) -> dict[str, Any]:
        return {"size": [self.height, self.width], "counts": self.counts.encode("ascii")}


class RunLengths(msgspec.Struct):
    """The two run-length forms of a COCO file."""

    size: tuple[int, int]  # height, width; pixels
    counts: str | list[int]


Shape = list[list[float]] | RunLengths  # polygons or run lengths
_SEGMENTATION: msgspec.json.Decoder[Shape | None] = msgspec.json.Decoder(Shape | None)


def parse_segmentation(raw: bytes, height: int, width: int) -> Mask | None:
    """Return the mask of a COCO `segmentation` value, or None where it holds nothing.

    Args:
        raw: the JSON text of the value; empty for an annotation without a segmentation.
        height: the height of the annotated image, pixels.
        width: the width of the annotated image, pixels.

    Raises:
        Rejected: `mask_malformed`, `mask_size_mismatch` or `image_over_pixel_cap`.
    """
    shape = decode_shape(raw)
    return mask_of(shape, height, width) if shape else None


def decode_shape(raw: bytes) -> Shape | None:
    """Return the polygons or run lengths of a COCO `segmentation` value, None where it has none.

    Raises:
        Rejected: `mask_malformed`.
    """
    if not raw:
        return None
    try:
        return decode(_SEGMENTATION, raw)
    except msgspec.DecodeError as error:
        raise malformed(f"expected polygons or run lengths: {error}") from None


def mask_of(shape: Shape, height: int, width: int) -> Mask:
    """Return the mask of polygons or run lengths.

    Raises:
        Rejected: `mask_malformed`, `mask_size_mismatch` or `image_over_pixel_cap`.
    """
    return mask_and_bounds(shape, height, width)[0]


def mask_and_bounds(shape: Shape, height: int, width: int) -> tuple[Mask, Box | None]:
    """Return the mask of a shape, and the bounds of its polygons; None where it has run lengths.

    Raises:
        Rejected: `mask_malformed`, `mask_size_mismatch` or `image_over_pixel_cap`.
    """
    if not isinstance(shape, RunLengths):
        return polygon_masks([shape], height, width)[0]
    _check_pixels(height, width)
    return from_run_lengths(shape, height, width), None


def polygon_masks(
    shapes: Sequence[Sequence[Polygon]], height: int, width: int
) -> list[tuple[Mask, Box]]:
    """Return the masks of shapes in one image, and the bounds of their polygons.

    Raises:
        Rejected: `mask_malformed` or `image_over_pixel_cap`, of any shape.
    """
    _check_pixels(height, width)
    bounds = [_checked_bounds(polygons, height, width) for polygons in shapes]
    runs = iter(coco_mask.frPyObjects(list(chain.from_iterable(shapes)), height, width))
    masks = [_united(list(islice(runs, len(polygons)))) for polygons in shapes]
    return list(zip(masks, bounds, strict=True))


def from_polygons(polygons: Sequence[Polygon], height: int, width: int) -> Mask:
    """Return the mask of the union of filled polygons, rasterised by pycocotools."""
    return polygon_masks([polygons], height, width)[0][0]


def bounds_of(polygons: Sequence[Polygon]) -> Box:
    """Return the bounds of polygons, xyxy in pixels: the least and the greatest coordinates."""
    if len(polygons) == 1:
        xs, ys = polygons[0][::2], polygons[0][1::2]
    else:
        xs = [x for polygon in polygons for x in polygon[::2]]
        ys = [y for polygon in polygons for y in polygon[1::2]]
    return min(xs), min(ys), max(xs), max(ys)


def union(masks: Sequence[Mask]) -> Mask:
    """Return the mask of all pixels of one mask or more, which are of one size."""
    return masks[0] if len(masks) == 1 else _united([mask._rle() for mask in masks])


def from_run_lengths(run_lengths: RunLengths, height: int, width: int) -> Mask:
    """Return the mask of run lengths in either form, after checking that they fill the image."""
    counts = checked_counts(run_lengths, height, width)
    if 0 in counts[1:]:
        counts = _joined(counts)
    rle = {"size": run_lengths.size, "counts": counts}
    return _from_rle(coco_mask.frPyObjects(rle, height, width))


def checked_counts(run_lengths: RunLengths, height: int, width: int) -> list[int]:
    """Return run lengths of either form as numbers that fill the image.

    Raises:
        Rejected: they do not fill it, or are malformed.
    """
    if run_lengths.size != (height, width):
        stated = f"{run_lengths.size[1]} x {run_lengths.size[0]}"
        detail = f"run lengths of a {stated} image on a {width} x {height} one"
        raise Rejected(Reason.MASK_SIZE_MISMATCH, detail)
    counts = run_lengths.counts
    if isinstance(counts, str):
        counts = decode_counts(counts)
    if min(counts, default=0) < 0:
        raise malformed(f"a run of {min(counts)} pixels, expected none below 0")
    if sum(counts) != height * width:
        raise malformed(f"run lengths sum to {sum(counts)}, expected {height * width}")
    return counts


def from_pixels(pixels: NDArray[np.generic]) -> Mask:
    """Return the mask of a boolean image, height x width."""
    return _from_rle(coco_mask.encode(np.asfortranarray(pixels, dtype=np.uint8)))


def decode_counts(counts: str) -> list[int]:
    """Return the run lengths that COCO's compressed string encodes.

    Five bits a character, least significant first, the sixth bit for "more follows"; from the
    fourth run on, a number is the difference to the run two before.

    Raises:
        Rejected: the string has a character outside the alphabet, or a number that does not end.
    """
    if len(counts) > _FEW and (decoded := _decoded_at_once(counts)) is not None:
        return decoded
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift >= 5 * MAX_RUN_DIGITS:
            raise malformed(f"{character!r} cannot stand in compressed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (bits & 16) << (shift - 4)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise malformed("the compressed run lengths break off within a number")
    return runs


def _decoded_at_once(counts: str) -> list[int] | None:
    """Return what `decode_counts` does, five times as fast; None where it is malformed."""
    digits = np.frombuffer(counts.encode("utf-8", "replace"), np.uint8) - 48  # wraps below 0
    if digits.max() > 63 or digits[-1] > 31:
        return None
    runs = numbers_of(digits, (digits < 32).nonzero()[0])
    if runs is None:
        return None
    for first in (1, 2):
        np.add.accumulate(runs[first::2], out=runs[first::2])
    decoded: list[int] = runs.tolist()
    return decoded


def numbers_of(digits: NDArray[np.uint8], last_digits: NDArray[np.intp]) -> Numbers | None:
    """Return the numbers that end at the given digits, or None if a number is too long.

    Args:
        digits: five bits each, least significant first, with a sixth bit for "more follows".
        last_digits: the positions of digits without that bit; their fifth bit is the sign.
    """
    more = last_digits.copy()  # digits before the last digit
    more[1:] -= last_digits[:-1] + 1
    longest = int(more.max())
    if longest >= MAX_RUN_DIGITS:
        return None
    bits = (digits & 31).astype(np.int64)
    numbers: Numbers = bits[last_digits]
    numbers -= (numbers & 16) << 1
    for back in range(1, longest + 1):
        longer = (more >= back).nonzero()[0]
        numbers[longer] = numbers[longer] << 5 | bits[last_digits[longer] - back]
    return numbers


def malformed(detail: str) -> Rejected:
    """Return the error for a mask that cannot be read."""
    return Rejected(Reason.MASK_MALFORMED, detail)


def _checked_bounds(polygons: Sequence[Polygon], height: int, width: int) -> Box:
    """Return the bounds of polygons that pycocotools can fill: it does not check them itself."""
    for polygon in polygons:
        number = len(polygon)
        if number < MIN_POLYGON_NUMBERS or number % 2:
            raise malformed(f"a polygon of {number} numbers, expected pairs, three at least")
    (x0, y0, x1, y1), reach = bounds_of(polygons), 2 * max(height, width)
    near = -reach <= x0 and -reach <= y0 and x1 <= reach and y1 <= reach
    if not near or math.isnan(sum(map(sum, polygons))):
        raise malformed(f"a polygon reaches further than {reach} pixels from the origin")
    return x0, y0, x1, y1


def _check_pixels(height: int, width: int) -> None:
    if height * width > MAX_MASK_PIXELS:
        detail = f"a mask of {width} x {height} pixels, at most {MAX_MASK_PIXELS} in all"
        raise Rejected(Reason.IMAGE_OVER_PIXEL_CAP, detail)


def _united(runs: list[dict[str, Any]]) -> Mask:
    return _from_rle(runs[0] if len(runs) == 1 else coco_mask.merge(runs))


def _joined(counts: Sequence[int]) -> list[int]:
    """Return run lengths in canonical form: without empty runs, except for the first run."""
    runs: list[int] = []
    for position, run in enumerate(counts):
        if position % 2 == len(runs) % 2 and (run or not position):
            runs.append(run)
        elif run:
            runs[-1] += run
    return runs


def _from_rle(rle: dict[str, Any]) -> Mask:
    height, width = rle["size"]
    return Mask(height=height, width=width, counts=rle["counts"].decode("ascii"))
