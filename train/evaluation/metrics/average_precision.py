"""Average precision of classified boxes, by pycocotools.

Boxes are given, so that each is a detection and the truth at once. COCOeval looks at every image
for every category; here it gets one category at a time, with the images that have it or are
said to have it, which gives the same numbers: categories are averaged, and share nothing.
"""

import io
from collections import defaultdict
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval

from schemas.geometry import Box

SIZES = {  # square pixels, both ends included
    "": (0, 1e5**2),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e5**2),
}


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A box with its category, and the category that was detected."""

    image: int
    box: Box  # xyxy, pixels
    area: float  # of the object, square pixels
    truth: str
    detected: str | None
    score: float


def average_precision(detections: Sequence[Detection]) -> dict[str, float]:
    """Return AP in per cent by size, averaged over IoU 0.5 to 0.95 and the categories.

    Equal scores count in the order of the images' numbers, then of the detections. All detections
    count, also those of an image beyond COCO's limit of 100: their boxes were given. A size of
    which there is no object has no number.

    >>> box = Detection(
    ...     image=1, box=(0, 0, 9, 9), area=81, truth="dog", detected="dog", score=1
    ... )
    >>> {size: round(value, 6) for size, value in average_precision([box]).items()}
    {'': 100.0, 'small': 100.0}
    """
    truths: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    detected: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, each in enumerate(detections, start=1):  # COCOeval takes the id 0 for no match
        x0, y0, x1, y1 = each.box
        shared = {"id": number, "image_id": each.image, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        truths[each.truth].append(shared | {"area": each.area, "iscrowd": 0, "ignore": 0})
        if each.detected is not None:
            area = (x1 - x0) * (y1 - y0)
            detected[each.detected].append(shared | {"area": area, "score": each.score})
    with redirect_stdout(io.StringIO()):  # COCOeval prints its progress
        table = np.array([_by_size(truths[name], detected[name]) for name in sorted(truths)])
    return {
        size: 100 * float(known.mean())
        for size, column in zip(SIZES, table.T, strict=True)
        if (known := column[column > -1]).size
    }


class _CategoryEval(COCOeval):
    """COCOeval of one category, whose boxes are handed in."""

    def __init__(self, truths: list[dict[str, Any]], detected: list[dict[str, Any]]) -> None:
        super().__init__(iouType="bbox")
        images = [box["image_id"] for box in truths + detected]
        self._boxes = truths, detected
        self._all_inside: dict[int, dict[str, Any]] = {}  # by image
        self.params.imgIds = images
        self.params.catIds = [1]
        self.params.maxDets = [len(images)]
        self.params.areaRng = [list(bounds) for bounds in SIZES.values()]
        self.params.areaRngLbl = list(SIZES)

    def _prepare(self) -> None:
        for kept, boxes in zip((self._gts, self._dts), self._boxes, strict=True):
            for box in boxes:
                kept[box["image_id"], 1].append(box)

    def evaluateImg(  # noqa: N802 (COCOeval's name)
        self, image: int, category: int, bounds: list[float], most: int
    ) -> dict[str, Any] | None:
        """Return what COCOeval does; it computes an image anew only where it ignores some boxes.

        Args:
            image: its number.
            category: its number.
            bounds: of the area; boxes beyond them are ignored.
            most: detections.
        """
        low, high = bounds
        boxes = self._gts[image, category] + self._dts[image, category]
        inside = [low <= box["area"] <= high for box in boxes]
        if not any(inside):
            return None  # COCOeval would ignore every box
        if not all(inside):
            return super().evaluateImg(image, category, bounds, most)
        if image not in self._all_inside:
            self._all_inside[image] = super().evaluateImg(image, category, bounds, most)
        return self._all_inside[image]


def _by_size(truths: list[dict[str, Any]], detected: list[dict[str, Any]]) -> list[float]:
    """Return the AP of a category by size; -1 where there is no object of the size."""
    evaluation = _CategoryEval(truths, detected)
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (IoU, recall, category, size, maximum)
    return [float(precision[:, :, 0, size, 0].mean()) for size in range(len(SIZES))]
