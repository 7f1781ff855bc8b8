"""The circuit breaker of a server: whether it is worth a call now, and when to try again.

A server that fails several calls in a row, with no answer between, gets no more of them until it
has answered a small one. How long to wait is decided here, the waiting is done by the client.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from schemas.ids import RANK_BITS, rank

FAILURES_TO_OPEN = 3  # in a row
_FOREVER_AGO = float("-inf")


class Breaker:
    """The state of one server. Times are seconds of the clock."""

    def __init__(
        self, first_wait: float, max_wait: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._first_wait = first_wait
        self._max_wait = max_wait
        self._wait = first_wait
        self._failures = 0
        self._paused_until = _FOREVER_AGO
        self._probe_at = _FOREVER_AGO
        self.is_open = False
        self.last_answer = _FOREVER_AGO
        self.last_trouble = "no answer"  # for a person

    def answered(self) -> None:
        """Take note of an answer to a call that matters."""
        self.is_open = False
        self._failures = 0
        self._wait = self._first_wait
        self.heard()

    def heard(self) -> None:
        """Take note of a sign of life: an answer, if only to a small call."""
        self.last_answer = self._clock()

    def failed(self, detail: str) -> None:
        """Take note of a failure; one too many opens it, and a small call is due at once."""
        self.last_trouble = detail
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN and not self.is_open:
            self.is_open = True
            self._probe_at = self._clock()

    def probed(self, trouble: str | None) -> None:
        """Take note of how a small call went: None for an answer, else what came instead."""
        self.is_open = trouble is not None
        self._failures = 0
        # Calls that matter may go on failing: only their answers make the wait short again.
        self._probe_at = self._clock() + self._wait
        self._wait = min(self._max_wait, 2 * self._wait)
        if trouble is not None:
            self.last_trouble = trouble

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, as the server asks."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def until_probe(self) -> float:
        """Return the seconds until a small call is due, at least 0."""
        return max(0.0, self._probe_at - self._clock())

    def until_resumed(self) -> float:
        """Return the seconds that the server asks to wait, at least 0."""
        return max(0.0, self._paused_until - self._clock())


def backoff_seconds(first: float, limit: float, request_id: str, failures: int) -> float:
    """Return how long to wait after a failure: doubled by each, with jitter of up to a half.

    Args:
        first: wait after the first failure, without jitter; seconds.
        limit: longest wait; seconds.
        request_id: of the call; decides the jitter, together with the number of failures.
        failures: so far, at least 1.
    """
    jitter = rank("backoff", request_id, failures) / 2**RANK_BITS
    return float(min(limit, first * 2 ** min(failures - 1, 30)) * (1 - jitter / 2))


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the wait that the header Retry-After asks for, in seconds; None if it is unreadable.

    RFC 9110, section 10.2.3: a number of seconds, or a date.
    """
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value)) if value and float(value) < float("inf") else None
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
