"""The circuit breaker by a clock of our own, and the waits between attempts."""

from datetime import UTC, datetime

import pytest

from pipelines.recap.client.circuit_breaker import (
    FAILURES_TO_OPEN,
    Breaker,
    backoff_seconds,
    retry_after_seconds,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(first_wait=1.0, max_wait=3.0, clock=clock)


def test_failures_in_a_row_open_it(breaker) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed("status 500")
    breaker.answered()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed("status 500")
    assert not breaker.is_open
    breaker.failed("status 502")
    assert breaker.is_open
    assert breaker.last_trouble == "status 502"
    assert breaker.until_probe() == 0


def test_it_probes_less_and_less_until_there_is_an_answer(breaker, clock) -> None:
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed("gone")
    waits = []
    for _ in range(4):
        breaker.probed("refused")
        waits.append(breaker.until_probe())
        clock.now += waits[-1]
    assert waits == [1, 2, 3, 3]
    assert breaker.is_open
    breaker.probed(None)
    assert not breaker.is_open
    assert breaker.last_trouble == "refused"
    breaker.answered()
    assert breaker.last_answer == clock.now
    breaker.probed("refused")
    assert breaker.until_probe() == 1


def test_the_longest_pause_holds(breaker, clock) -> None:
    breaker.pause(5)
    breaker.pause(2)
    clock.now += 3
    assert breaker.until_resumed() == 2
    clock.now += 3
    assert breaker.until_resumed() == 0


def test_backoff_doubles_up_to_its_end_with_jitter() -> None:
    for failures in range(1, 100):
        full = min(30.0, 0.5 * 2 ** (failures - 1))
        waits = {backoff_seconds(0.5, 30.0, f"request-{n}", failures) for n in range(50)}
        assert len(waits) == 50
        assert all(full / 2 <= wait <= full for wait in waits)
    assert backoff_seconds(0.5, 30.0, "a", 3) == backoff_seconds(0.5, 30.0, "a", 3)


NOW = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30.0),
        ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("Wed, 41 Oct 2026 07:28:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds) -> None:
    assert retry_after_seconds({"retry-after": value}, NOW) == seconds
    assert retry_after_seconds({}, NOW) is None
