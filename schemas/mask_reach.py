"""The agreement of a region's mask with its box: both in pixels of the same image.

An owner's box and mask are of the same object, so the mask lies in its box but for some pixels.
Where they are far apart, one of them is of another object, another size or another frame.
"""

from collections.abc import Iterator, Sequence

from pycocotools import mask as coco_mask

from schemas.geometry import Box
from schemas.limits import MAX_MASK_BEYOND

_ROUNDING = 1.0  # pixels: a mask holds whole ones, a box does not
_SPARE = 0.5  # pixels


def fits_by_bounds(bounds: Box, box: Box) -> bool:
    """Return whether polygons of some bounds make a mask that fits a box, both xyxy.

    A mask may be a pixel larger than its polygons, so the answer is "no" for some that fit.
    """
    return (
        box[0] - bounds[0] <= _SPARE >= bounds[2] - box[2]
        and box[1] - bounds[1] <= _SPARE >= bounds[3] - box[3]
    )


def stray_masks(
    counts: Sequence[str], boxes: Sequence[Box], size: tuple[int, int], *, beyond: bool = True
) -> Iterator[tuple[int, str]]:
    """Yield the positions of masks that do not fit their boxes, and what is wrong with them.

    Args:
        counts: the masks of one image, as COCO's compressed run lengths, each with a pixel on.
        boxes: the box of each, xyxy.
        size: height and width of the image.
        beyond: whether a mask may not reach further than `MAX_MASK_BEYOND` beyond its box.
    """
    if not counts:
        return
    runs = [{"size": size, "counts": text.encode("ascii")} for text in counts]
    bounds = coco_mask.toBbox(runs).tolist()  # x, y, width, height
    for position, ((x, y, width, height), (x0, y0, x1, y1)) in enumerate(
        zip(bounds, boxes, strict=True)
    ):
        right, bottom = x + width, y + height
        near = x0 - x <= _ROUNDING >= right - x1 and y0 - y <= _ROUNDING >= bottom - y1
        if near:  # as nearly all are
            continue
        gap = max(x - x1, y - y1, x0 - right, y0 - bottom)
        reach = max(x0 - x, y0 - y, right - x1, bottom - y1)
        if gap > _ROUNDING:
            yield position, f"lies {gap:g} pixels apart from its box, expected it to touch it"
        elif beyond and reach > MAX_MASK_BEYOND:
            yield (
                position,
                f"reaches {reach:g} pixels beyond its box, expected {MAX_MASK_BEYOND} at most",
            )
