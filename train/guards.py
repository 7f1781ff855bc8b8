"""Guards: a run stops at a loss that is no number, or far above those of the steps before."""

import math
from collections import deque
from collections.abc import Iterable
from statistics import median

from schemas.errors import RegionForgeError
from train.loop import Done

_STEPS = 50  # whose median is the usual loss
_LEAST = 10  # steps before the guard knows what is usual
_NAMED = 8  # ids in the message


class TrainingStopped(RegionForgeError):
    """A run that cannot go on."""


class LossGuard:
    """The losses of the last steps, which the next is compared with."""

    def __init__(self, factor: float, losses: Iterable[float] = ()) -> None:
        """Begin with what is known.

        Args:
            factor: a spike is a loss above so many times the median; 0: none is. A median below 1
                counts as 1, as small losses vary more.
            losses: of the steps before, of a run that goes on.
        """
        self._factor = factor
        self._losses = deque(losses, maxlen=_STEPS)

    def check(self, done: Done) -> None:
        """Raise TrainingStopped where a step's loss or gradient is no number, or a spike."""
        result = done.result
        if not result.supervised:
            return
        if not (math.isfinite(result.loss) and math.isfinite(result.gradient_norm)):
            raise TrainingStopped(
                f"step {done.step}: the loss is {result.loss} and the gradient's norm "
                f"{result.gradient_norm}, expected numbers. {_rows(done)}. The model is as after "
                "the step before: try a lower --learning-rate, or --precision float32"
            )
        if len(self._losses) >= _LEAST and self._factor:
            usual = max(1.0, median(self._losses))
            if result.loss > self._factor * usual:
                raise TrainingStopped(
                    f"step {done.step}: the loss is {result.loss:.3f}, above {self._factor:g} "
                    f"times the usual {usual:.3f}. {_rows(done)}. Look at these rows, try a lower "
                    "--learning-rate, or go on with --spike 0"
                )
        self._losses.append(result.loss)


def _rows(done: Done) -> str:
    """Return the ids of a step's rows: `Its rows: coco/train/7/..., and 12 more`."""
    more = len(done.ids) - _NAMED
    return f"Its rows: {', '.join(done.ids[:_NAMED])}" + (f", and {more} more" if more > 0 else "")
