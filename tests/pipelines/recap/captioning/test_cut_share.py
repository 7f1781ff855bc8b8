"""The share of answers that are cut, which a run shows once."""

import asyncio

import pytest

from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.captioning.cut_share import CutShare


class Captioner:
    """Answers every request, cuts each `every`th answer."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._asked = 0
        self.closed = False

    async def ask(self, request: Request) -> Answer:
        self._asked += 1
        return Answer("A dog.", "stop" if self._asked % self._every else "length")

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("calls", "every", "lines"),
    [
        (99, 3, []),
        (100, 200, ["0 % of the first 100 answers were cut at the limit of tokens"]),
        (
            250,
            20,
            [
                "5 % of the first 100 answers were cut at the limit of tokens; --region-tokens "
                "and --global-tokens raise it"
            ],
        ),
    ],
)
def test_it_is_shown_after_a_hundred_answers(make_requests, calls, every, lines) -> None:
    said: list[str] = []
    inner = Captioner(every)

    async def run() -> None:
        captioner = CutShare(inner, said.append)
        for request in make_requests(calls):
            assert (await captioner.ask(request)).text == "A dog."
        await captioner.close()

    asyncio.run(run())
    assert (said, inner.closed) == (lines, True)
