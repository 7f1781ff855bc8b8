"""The limiter: slots in order, fewer after an overload, and one call alone."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

import pytest

from pipelines.recap.client.concurrency import Limiter


class Crowd:
    """Calls that hold a slot until they are let go."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.inside: list[int] = []
        self.doors: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def arrive(self, *names: int, alone: bool = False) -> None:
        for name in names:
            self.doors[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name, alone))
        await settle()

    async def leave(self, *names: int) -> None:
        for name in names:
            self.doors[name].set()
        await settle()

    async def _hold(self, name: int, alone: bool) -> None:
        async with self.limiter.slot(alone=alone):
            self.inside.append(name)
            try:
                await self.doors[name].wait()
            finally:
                self.inside.remove(name)


def grown(maximum: int) -> Limiter:
    """A limiter at its maximum, as a server that answers at once makes it."""
    limiter = Limiter(maximum)
    for _ in range(maximum):
        limiter.answered()
    assert limiter.limit == maximum
    return limiter


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


def test_places_are_given_in_order() -> None:
    async def story() -> None:
        crowd = Crowd(grown(2))
        await crowd.arrive(1, 2, 3, 4)
        assert crowd.inside == [1, 2]
        await crowd.leave(2)
        assert crowd.inside == [1, 3]
        await crowd.leave(1, 3)
        assert crowd.inside == [4]
        await crowd.leave(4)
        assert crowd.limiter.in_flight == 0

    run(story())


def test_one_alone_waits_for_the_others_and_they_for_it() -> None:
    async def story() -> None:
        crowd = Crowd(grown(3))
        await crowd.arrive(1, 2)
        await crowd.arrive(3, alone=True)
        await crowd.arrive(4, 5)
        assert crowd.inside == [1, 2]
        await crowd.leave(1)
        assert crowd.inside == [2]
        await crowd.leave(2)
        assert crowd.inside == [3]
        await crowd.leave(3)
        assert crowd.inside == [4, 5]
        await crowd.leave(4, 5)

    run(story())


@pytest.mark.parametrize("alone", [False, True])
def test_a_place_that_is_given_up_goes_to_the_next(alone) -> None:
    async def story() -> None:
        crowd = Crowd(grown(2))
        await crowd.arrive(1)
        await crowd.arrive(2, alone=alone)
        await crowd.arrive(3, 4)
        crowd.tasks[2].cancel()
        await settle()
        assert crowd.inside == [1, 3]
        await crowd.leave(1, 3)
        assert crowd.inside == [4]
        await crowd.leave(4)
        assert crowd.limiter.in_flight == 0

    run(story())


@pytest.mark.parametrize("alone", [False, True])
def test_a_place_can_be_given_up_in_the_moment_in_which_it_is_given(alone) -> None:
    async def story() -> None:
        crowd = Crowd(grown(1))
        async with crowd.limiter.slot():
            await crowd.arrive(1, alone=alone)
            await crowd.arrive(2)
        crowd.tasks[1].cancel()
        await settle()
        assert crowd.inside == [2]
        await crowd.leave(2)
        assert crowd.limiter.in_flight == 0

    run(story())


def test_an_overload_halves_once_for_all_calls_of_a_round() -> None:
    limiter = grown(64)
    for _ in range(10):
        limiter.overloaded(0)
    assert limiter.limit == 32
    limiter.overloaded(1)
    assert limiter.limit == 16
    for sent_in in range(2, 20):
        limiter.overloaded(sent_in)
    assert limiter.limit == 1


def test_answers_raise_the_limit_by_one_a_round() -> None:
    limiter = grown(10)
    limiter.overloaded(0)
    assert limiter.limit == 5
    for _ in range(5):
        limiter.answered()
    assert 5.8 < limiter.limit < 6
    for _ in range(100):
        limiter.answered()
    assert limiter.limit == 10


def test_a_lower_limit_holds_for_those_who_wait() -> None:
    async def story() -> None:
        crowd = Crowd(grown(4))
        await crowd.arrive(*range(8))
        crowd.limiter.overloaded(0)
        await crowd.leave(0, 1)
        assert crowd.inside == [2, 3]
        await crowd.leave(2)
        assert crowd.inside == [3, 4]
        await crowd.leave(*range(3, 8))
        assert crowd.limiter.in_flight == 0

    run(story())


def test_it_begins_with_one_and_doubles_with_each_round() -> None:
    limiter, limits = Limiter(20, long=1.5), []
    for _ in range(6):
        limits.append(limiter.limit)
        for _ in range(int(limiter.limit)):
            limiter.answered(1.0)
    assert limits == [1, 2, 4, 8, 16, 20]


def test_after_the_first_answer_it_is_what_a_server_would_answer_in_time_one_by_one() -> None:
    limiter = Limiter(64, long=30.0)
    limiter.answered()
    assert limiter.limit == 2, "the time of a check tells nothing"
    limiter.answered(2.0)
    assert limiter.limit == 15
    limiter.answered(1.9)
    limiter.answered(2.0)
    assert limiter.limit == 17, "from there on it doubles with each round"
    limiter.answered(0.1)
    assert limiter.limit == 64
    limiter.overloaded(0)
    limiter.answered(0.1)
    assert limiter.limit == 32 + 1 / 32, "after an overload the time of an answer tells nothing"


def test_a_server_of_one_call_at_a_time_is_given_as_many_as_are_in_time() -> None:
    limiter = Limiter(64, long=30.0)
    waiting: deque[int] = deque()  # for each call in flight, how many it waits for, itself included
    times: list[float] = []
    for _ in range(500):
        while len(waiting) < int(limiter.limit):
            waiting.append(len(waiting) + 1)
        times.append(2.0 * waiting.popleft())
        limiter.answered(times[-1])
    assert 30 <= max(times) < 80, "of 120 seconds that it has"


def test_a_slow_server_is_given_as_many_as_a_fast_one() -> None:
    limiter = Limiter(64, long=60.0)
    for _ in range(64):
        limiter.answered(90.0)
    assert limiter.limit == 64
