"""The pixels of a mask as runs down its columns, as COCO's run lengths have them.

A mask of 3 x 4 pixels, height first, and its two runs:

    . # . .       columns [1, 3]
    . # . #       starts  [0, 1]
    . . . #       stops   [2, 3]

What a region covers follows from its runs' ends: a mask of 640 x 480 has 307,200 pixels, and some
hundred runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.check_masks import sound_lengths
from schemas.geometry import Box
from schemas.mask import BoolImage

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """The runs of pixels that are on; each lies in one column, and none is empty."""

    height: int  # of the mask, pixels
    width: int  # of the mask, pixels
    columns: Numbers  # of each run
    starts: Numbers  # the row of the first pixel
    stops: Numbers  # the row after the last one

    @classmethod
    def of_pixels(cls, mask: BoolImage) -> "Runs":
        """Return the runs of a mask [height, width]."""
        height, width = mask.shape
        padded = np.zeros((width, height + 2), dtype=bool)
        padded[:, 1:-1] = mask.T
        column, row = np.divmod(np.flatnonzero(padded[:, 1:] != padded[:, :-1]), height + 1)
        return cls(
            height=height, width=width, columns=column[::2], starts=row[::2], stops=row[1::2]
        )

    @classmethod
    def of_lengths(cls, lengths: Sequence[int], height: int, width: int) -> "Runs":
        """Return the runs of lengths that are off and on in turns, and fill the mask.

        Args:
            lengths: e.g. [3, 2, 5, 2] above.
            height: the mask's.
            width: the mask's.
        """
        ends = np.cumsum(lengths, dtype=np.int64)
        columns, starts, stops = _in_columns(ends[:-1:2], ends[1::2], height)
        return cls(height=height, width=width, columns=columns, starts=starts, stops=stops)

    @classmethod
    def of_masks(cls, masks: Sequence[str], height: int, width: int) -> list["Runs"] | None:
        """Return the runs of several masks of a picture, read at once: a third of the time.

        Args:
            masks: COCO's compressed run lengths.
            height: the masks'.
            width: the masks'.

        Returns:
            None where a mask is not proven sound; read alone, it tells its fault.
        """
        if not masks or (sound := sound_lengths(masks, height * width)) is None:
            return None
        lengths, firsts = sound  # of a mask as wide as all of them side by side
        number = np.arange(len(lengths)) - np.repeat(firsts, np.diff(firsts, append=len(lengths)))
        ends, on = np.cumsum(lengths), (number & 1).astype(bool)
        columns, starts, stops = _in_columns((ends - lengths)[on], ends[on], height)
        edges = np.searchsorted(columns, np.arange(len(masks) + 1) * width).tolist()
        return [
            cls(
                height=height,
                width=width,
                columns=columns[first:last] - mask * width,
                starts=starts[first:last],
                stops=stops[first:last],
            )
            for mask, (first, last) in enumerate(pairwise(edges))
        ]

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def bounds(self) -> Box:
        """The box around all pixels, of which there is one at least."""
        return (
            float(self.columns[0]),
            float(self.starts.min()),
            self.columns[-1] + 1.0,
            float(self.stops.max()),
        )

    def pixels(self) -> BoolImage:
        """Return the mask [height, width]."""
        steps = np.zeros((self.width, self.height + 1), dtype=np.int8)
        np.add.at(steps, (self.columns, self.starts), 1)
        np.add.at(steps, (self.columns, self.stops), -1)
        return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8).astype(bool).T


def _in_columns(starts: Numbers, stops: Numbers, height: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return the columns, starts and stops of runs that are parted where a column ends.

    Args:
        starts: the first pixel of each run, counted down the columns; some runs may be empty.
        stops: the pixel after the last one.
        height: the length of a column.
    """
    some = stops > starts
    starts, stops = starts[some], stops[some]
    first = starts // height
    parts = (stops - 1) // height - first + 1
    run = np.repeat(np.arange(len(parts)), parts)
    columns = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(parts) - parts, parts)
    top = columns * height
    return columns, np.maximum(starts[run] - top, 0), np.minimum(stops[run] - top, height)
