"""The circuit breaker of a server: it decides whether to send requests, and when to probe.

A server that fails several requests in a row gets no more requests (the circuit is open) until it
has answered a probe, which is a small request. The breaker computes the waiting times; the client
waits.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from schemas.ids import RANK_BITS, rank

FAILURES_TO_OPEN = 3  # failures in a row
_FOREVER_AGO = float("-inf")


class Breaker:
    """The circuit breaker of one server. Times are seconds of the clock."""

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
        self.is_reached = False  # whether any connection to the server could be opened so far
        self.last_answer = _FOREVER_AGO
        self.last_trouble = "no answer"  # shown to the user

    def answered(self) -> None:
        """Record an answer to a request; close the circuit."""
        self.is_open = False
        self._failures = 0
        self._wait = self._first_wait
        self.heard()

    def heard(self) -> None:
        """Record that the server has answered a request or a probe."""
        self.is_reached = True
        self.last_answer = self._clock()

    def overloaded(self, detail: str) -> None:
        """Record that the server asks for fewer requests."""
        self.is_reached = True
        self.last_trouble = detail

    def failed(self, detail: str, *, reached: bool = True) -> None:
        """Record a failed request; after several in a row, open the circuit; a probe is due.

        Args:
            detail: the failure, as it is shown to the user.
            reached: whether a connection to the server could be opened.
        """
        self.is_reached |= reached
        self.last_trouble = detail
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN and not self.is_open:
            self.is_open = True
            self._probe_at = self._clock()

    def probed(self, trouble: str | None, *, reached: bool = True) -> None:
        """Record the outcome of a probe: None for an answer, else a description of the failure."""
        self.is_reached |= reached
        self.is_open = trouble is not None
        self._failures = 0
        # Requests may still fail where probes succeed: only answers to requests reset the wait.
        self._probe_at = self._clock() + self._wait
        self._wait = min(self._max_wait, 2 * self._wait)
        if trouble is not None:
            self.last_trouble = trouble

    def pause(self, seconds: float) -> None:
        """Record that the server asks the client to send nothing for some seconds."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def until_probe(self) -> float:
        """Return the seconds until a probe is due, at least 0."""
        return max(0.0, self._probe_at - self._clock())

    def until_resumed(self) -> float:
        """Return the seconds until the end of the pause set by `pause`, at least 0."""
        return max(0.0, self._paused_until - self._clock())


def backoff_seconds(first: float, limit: float, request_id: str, failures: int) -> float:
    """Return the wait after a failure: doubled with each failure, then reduced by up to a half.

    Args:
        first: seconds to wait after the first failure, without jitter.
        limit: maximum number of seconds to wait.
        request_id: id of the request; it decides the jitter, together with `failures`.
        failures: number of failures so far, at least 1.
    """
    jitter = rank("backoff", request_id, failures) / 2**RANK_BITS
    return float(min(limit, first * 2 ** min(failures - 1, 30)) * (1 - jitter / 2))


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the wait in the header Retry-After, in seconds, or None without a valid header.

    The value is a number of seconds or a date (RFC 9110, section 10.2.3).
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
