"""Dense labels: the category of what lies under each patch of a picture, from boxes alone.

A patch whose centre lies in the ellipse of 0.8 times a box has the category of the box; of several,
that of the smallest; others have the label 0, background. Two boxes, of the categories 3 and 5:

    . 3 3 .
    3 3 5 5
    . 3 5 5
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.frame import Frame
from schemas.geometry import Box
from train.data.rows import Row

ELLIPSE = 0.8  # of the box's sides
BACKGROUND = 0


class Categories:
    """The categories of a build's regions, each with a label from 1."""

    def __init__(self, names: Iterable[Iterable[str]]) -> None:
        """Number the categories of `rows.categories()`."""
        self.names = sorted({name for row in names for name in row})
        self._labels = {name: label for label, name in enumerate(self.names, BACKGROUND + 1)}

    def __len__(self) -> int:
        """Return the number of labels, background among them."""
        return 1 + len(self.names)

    def label(self, region: Mapping[str, Any]) -> int:
        """Return the label of a region: background where it has no category."""
        return self._labels.get(region["category"], BACKGROUND)

    def dense(self, row: Row, frame: Frame, grid: int) -> NDArray[np.int64]:
        """Return the labels [grid * grid] of the patches of a row's picture."""
        boxes = [(tuple(region["bbox"]), self.label(region)) for region in row["regions"]]
        return dense_labels([box for box in boxes if box[1] != BACKGROUND], frame, grid)


def dense_labels(boxes: Sequence[tuple[Box, int]], frame: Frame, grid: int) -> NDArray[np.int64]:
    """Return the label of each patch [grid * grid], row by row.

    Args:
        boxes: each with its label, xyxy in the owner's pixels.
        frame: of the model's picture.
        grid: the number of patches on a side.
    """
    labels = np.full(grid * grid, BACKGROUND, dtype=np.int64)
    placed = [(frame.to_model(box), label) for box, label in boxes]
    for box, label in sorted(placed, key=_area, reverse=True):
        labels[patches_in(box, frame, labels.size)] = label
    return labels


def patches_in(box: Box, frame: Frame, patches: int) -> NDArray[np.bool_]:
    """Return for each patch, row by row, whether its centre lies in the ellipse of a box.

    Args:
        box: xyxy in the pixels of the model's picture.
        frame: of the model's picture.
        patches: the number of them, a square.
    """
    grid = math.isqrt(patches)
    centres = (np.arange(grid) + 0.5) * frame.covered / grid
    x0, y0, x1, y1 = box
    across = (centres - (x0 + x1) / 2) / max(ELLIPSE * (x1 - x0) / 2, 1e-6)
    down = (centres - (y0 + y1) / 2) / max(ELLIPSE * (y1 - y0) / 2, 1e-6)
    inside: NDArray[np.bool_] = down[:, None] ** 2 + across[None, :] ** 2 <= 1
    return inside.reshape(-1)


def _area(labelled: tuple[Box, int]) -> float:
    (x0, y0, x1, y1), _ = labelled
    return (x1 - x0) * (y1 - y0)
