"""The limit of concurrent calls to a server, which adapts to overload (AIMD)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LEAST_SECONDS = 1e-3  # of an answer, by a clock that may not have moved


class Limiter:
    """A limiter of the calls in flight to one server; it grants slots in order of request.

    The limit begins at 1. Until the first overload, an answer raises it to as many calls as are
    answered before one took long, even by a server that answers them one after the other, but at
    least by 1, so that it doubles with each round of answers. An answer that took long, and twice
    as long as the fastest one, raises nothing. An overload halves the limit and begins a new round;
    overloads of calls from earlier rounds are ignored. From then on each answer raises the limit by
    its reciprocal, so that `limit` answers raise it by about 1.
    """

    def __init__(self, maximum: int, long: float = float("inf")) -> None:
        """Make a limiter.

        Args:
            maximum: the maximum of calls in flight.
            long: seconds from which an answer took long.
        """
        self._maximum = maximum
        self._long = long
        self._fastest = float("inf")  # seconds of an answer
        self._overloaded = False  # whether it ever was
        self.limit = 1.0
        self.in_flight = 0
        self._round = 0  # the number of times that the limit was halved
        self._sealed = False  # whether a call that must be alone is in flight
        self._waiting: deque[tuple[asyncio.Future[None], bool]] = deque()

    @asynccontextmanager
    async def slot(self, *, alone: bool = False) -> AsyncIterator[int]:
        """Hold a slot, and yield the number of the round in which it was granted.

        Args:
            alone: whether no other call may be in flight at the same time.
        """
        await self._take(alone)
        try:
            yield self._round
        finally:
            self._leave(alone)

    def answered(self, seconds: float | None = None) -> None:
        """Record an answer; raise the limit, unless the answer had to wait long.

        Args:
            seconds: its time; None: it is not to be compared with that of others.
        """
        if seconds is not None:
            self._fastest = min(self._fastest, seconds)
            if seconds >= max(self._long, 2 * self._fastest):
                return
        if self._overloaded:
            raised = self.limit + 1 / self.limit
        else:
            raised = max(self.limit + 1, self._long / max(self._fastest, _LEAST_SECONDS))
        self.limit = min(self._maximum, raised)

    def overloaded(self, round_number: int) -> None:
        """Record an overload by a call of a round; halve the limit unless the round has passed."""
        self._overloaded = True
        if round_number == self._round:
            self.limit = max(1.0, self.limit / 2)
            self._round += 1

    async def _take(self, alone: bool) -> None:
        if not self._waiting and self._admits(alone):
            self._enter(alone)
            return
        slot = asyncio.get_running_loop().create_future()
        self._waiting.append((slot, alone))
        try:
            await slot
        except asyncio.CancelledError:
            if slot.cancelled():
                self._waiting.remove((slot, alone))
                self._admit()
            else:
                self._leave(alone)  # the slot was granted at the same moment
            raise

    def _leave(self, alone: bool) -> None:
        self.in_flight -= 1
        if alone:
            self._sealed = False
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._admits(self._waiting[0][1]):
            slot, alone = self._waiting[0]
            if slot.cancelled():
                return  # the cancelled task will remove it and admit others
            self._waiting.popleft()
            self._enter(alone)
            slot.set_result(None)

    def _admits(self, alone: bool) -> bool:
        if alone:
            return self.in_flight == 0
        return not self._sealed and self.in_flight < int(self.limit)

    def _enter(self, alone: bool) -> None:
        self.in_flight += 1
        if alone:
            self._sealed = True
