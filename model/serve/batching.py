"""Micro-batches: requests that wait at the same time are answered together.

One thread generates. A batch takes what waits when the one before it ends, and waits a moment for
more; each answer of it is handed over when it ends, whatever the others do.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import torch

from model.batch import Example
from model.serve.answering import PendingAnswer, Settings, generate_answers
from model.serve.engine import BusyError, GenerationError
from model.serve.opened import OpenedModel


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A request that waits, or is being answered."""

    example: Example
    answer: PendingAnswer
    ended: asyncio.Future[None]


class Batcher:
    """The engine that answers requests in micro-batches, in a thread of this process."""

    def __init__(self, opened: OpenedModel, *, most: int, waiting: int, window: float) -> None:
        """Make a batcher.

        Args:
            opened: the model.
            most: requests of a batch.
            waiting: requests that wait at most.
            window: the time in seconds for which a batch waits for more requests.
        """
        self._opened = opened
        self._most, self._window = most, window
        self._queue = asyncio.Queue[_Job](waiting)

    @property
    def is_up(self) -> bool:
        """True: it ends with its process."""
        return True

    async def answer(
        self,
        example: Example,
        settings: Settings,
        on_text: Callable[[str], None] | None = None,
    ) -> PendingAnswer:
        """Return the answer to a prompt, see `Engine.answer`."""
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def on_end() -> None:
            with suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(_finish, ended)

        answer = PendingAnswer(self._opened.processor, settings, on_text, on_end)
        job = _Job(example=example, answer=answer, ended=ended)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise BusyError from None
        try:
            await ended
        finally:
            answer.cancel()
        return answer

    async def run(self) -> None:
        """Answer requests until it is cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "generate") as thread:
            while True:
                jobs = await self._gathered()
                generating = loop.run_in_executor(thread, self._generate, jobs)
                try:
                    failed = await generating
                except BaseException:
                    for job in jobs:
                        job.answer.cancel()
                        _finish(job.ended, GenerationError("the server ends"))
                    raise
                for job, why in failed:
                    _finish(job.ended, GenerationError(why))

    async def _gathered(self) -> list[_Job]:
        """Return the jobs of a batch: those that somebody still waits for."""
        jobs = list[_Job]()
        while not jobs:
            jobs = _wanted([await self._queue.get()])
        until = asyncio.get_running_loop().time() + self._window
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while len(jobs) < self._most:
                    jobs.append(await self._queue.get())
        return _wanted(jobs) or await self._gathered()

    def _generate(self, jobs: Sequence[_Job]) -> list[tuple[_Job, str]]:
        """Answer some requests, in halves where memory is short; return those that failed."""
        try:
            inputs = self._opened.processor.collate([job.example for job in jobs])
            generate_answers(
                self._opened.model,
                self._opened.processor,
                inputs,
                [job.answer for job in jobs],
            )
        except torch.OutOfMemoryError:
            left = [job for job in jobs if job.answer.end is None]
            if len(left) == 1 == len(jobs):
                return [(left[0], "the request alone takes more memory than the device has")]
            for job in left:
                job.answer.restart()
            middle = (len(left) + 1) // 2
            return [
                failed
                for half in (left[:middle], left[middle:])
                if half
                for failed in self._generate(half)
            ]
        return []


def _wanted(jobs: Sequence[_Job]) -> list[_Job]:
    return [job for job in jobs if job.answer.end is None]


def _finish(ended: asyncio.Future[None], error: Exception | None = None) -> None:
    if ended.done():  # nobody waits any more
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
