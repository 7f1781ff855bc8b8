"""The steps of a measurement and the time that they took, once all is warm."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch

WARM_UP = 2  # steps before the clock starts: kernels are chosen and compiled, workers started
STEPS = 10  # that are measured, at most


class Enough(Exception):
    """The time of a measurement is over."""


@dataclass
class Clock:
    """The steps that are measured."""

    device: torch.device
    deadline: float | None  # of `perf_counter`; one step is measured in any case
    steps: int = 0  # that are measured
    ids: list[str] = field(default_factory=list)  # of their rows
    computed: int = 0  # tokens, padding too
    seconds: float = 0.0
    waited: float = 0.0  # for rows
    _warm: int = 0
    _begun: float = 0.0

    def after(self, ids: Sequence[str], *, computed: int, waited: float) -> None:
        """Take note of a step that was done.

        Args:
            ids: of its rows.
            computed: its tokens, padding too.
            waited: seconds that it waited for its rows.

        Raises:
            Enough: it was the last one.
        """
        self._warm += 1
        if self._warm < WARM_UP:
            return
        if self._warm > WARM_UP:
            self.steps += 1
            self.ids += ids
            self.computed += computed
            self.waited += waited
        over = self.deadline is not None and perf_counter() > self.deadline
        last = self.steps >= STEPS or (over and self.steps > 0)
        if self._warm > WARM_UP and not last:
            return
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if self._warm == WARM_UP:
            self._begun = perf_counter()
        if last:
            self.seconds = perf_counter() - self._begun
            raise Enough
