"""The frame of the model's picture: where a pixel of the owner's picture lies in it.

Both pictures have their origin at the top-left corner of the top-left pixel, x to the right, y
down; pixel i covers [i, i + 1). The model's picture is a square; an owner's point x lies at
`offset_x + scale_x * x` of it. A picture of 640 x 480 centred in 336 pixels:

    Frame(width=640, height=480, size=336, covered=336,
          scale_x=0.525, scale_y=0.525, offset_x=0.0, offset_y=42.0)
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import Box


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The owner's picture in the model's square picture; scales are model pixels per pixel."""

    width: int  # of the owner's picture, pixels
    height: int  # of the owner's picture, pixels
    size: int  # the side of the model's picture, pixels
    # The side of the square that whole patches cover, from the top-left corner, model pixels:
    # 27 patches of 14 pixels cover 378 of 384.
    covered: int
    scale_x: float
    scale_y: float
    offset_x: float  # model pixels
    offset_y: float  # model pixels

    @classmethod
    def padded(cls, width: int, height: int, size: int, patch: int = 1) -> "Frame":
        """Return the frame of a picture centred on a square canvas that is resized to the model's.

        An odd pixel of padding lies after the picture, as in LLaVA.

        Args:
            width: the width of the owner's picture, pixels.
            height: the height of the same picture, pixels.
            size: the side of the model's picture, pixels.
            patch: the side of a patch of the vision tower, model pixels.
        """
        canvas = max(width, height)
        scale = size / canvas
        return cls(
            width=width,
            height=height,
            size=size,
            covered=size // patch * patch,
            scale_x=scale,
            scale_y=scale,
            offset_x=(canvas - width) // 2 * size / canvas,
            offset_y=(canvas - height) // 2 * size / canvas,
        )

    @classmethod
    def stretched(cls, width: int, height: int, size: int, patch: int = 1) -> "Frame":
        """Return the frame of a picture resized to a square without keeping its aspect.

        The arguments are those of `padded`.
        """
        return cls(
            width=width,
            height=height,
            size=size,
            covered=size // patch * patch,
            scale_x=size / width,
            scale_y=size / height,
            offset_x=0.0,
            offset_y=0.0,
        )

    def to_model(self, box: Box) -> Box:
        """Return an owner's xyxy box, clipped to the owner's picture, in model pixels."""
        x0, x1 = (
            self.offset_x + self.scale_x * min(max(x, 0.0), self.width) for x in (box[0], box[2])
        )
        y0, y1 = (
            self.offset_y + self.scale_y * min(max(y, 0.0), self.height) for y in (box[1], box[3])
        )
        return x0, y0, x1, y1

    def cell_edges(self, grid: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the edges of a grid's cells lie in the owner's picture, along x and y.

        Args:
            grid: the number G of cells on a side; they divide the square that patches cover.

        Returns:
            Two arrays [G + 1], rising, in owner's pixels: in the padding of the model's picture
            they are below 0 or beyond the owner's picture.
        """
        return _cell_edges(self, grid)


@lru_cache(maxsize=64)  # every region of a picture asks for them
def _cell_edges(frame: Frame, grid: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = np.arange(grid + 1, dtype=np.float64) * (frame.covered / grid)
    across, down = (
        (edges - frame.offset_x) / frame.scale_x,
        (edges - frame.offset_y) / frame.scale_y,
    )
    across.flags.writeable = down.flags.writeable = False
    return across, down
