"""The estimate of a run is measured on a few calls, and multiplied."""

import asyncio
import time

import pytest

from pipelines.recap.captioning.estimate import Estimate, MeasuredCalls, estimate, measured


def test_it_is_the_sum_over_stages() -> None:
    image = MeasuredCalls(seconds=3.6, prompt_tokens=300.0, completion_tokens=100.0)
    region = MeasuredCalls(seconds=7.2, prompt_tokens=500.0, completion_tokens=200.0)
    total = estimate([(1000, image), (10_000, region)], concurrency=10)
    assert total == Estimate(
        calls=11_000, prompt_tokens=5_300_000.0, completion_tokens=2_100_000.0, hours=2.1
    )
    assert total.line() == (
        "11,000 calls, 5.3 million tokens read and 2.1 million written, "
        "2.1 hours at the rate measured"
    )


def test_tokens_may_be_unknown() -> None:
    silent = MeasuredCalls(seconds=1.0, prompt_tokens=None, completion_tokens=None)
    spoken = MeasuredCalls(seconds=1.0, prompt_tokens=5.0, completion_tokens=5.0)
    total = estimate([(10, silent), (10, spoken)], concurrency=1)
    assert total.prompt_tokens is None
    assert "not reported" in total.line()


def test_calls_are_measured(serve, make_captioner, make_requests) -> None:
    async def run(script: dict) -> MeasuredCalls:
        captioner = make_captioner(serve(**script))
        try:
            began = time.monotonic()
            requests = make_requests(4)
            answers = await asyncio.gather(*map(captioner.ask, requests))
            return measured([(time.monotonic() - began, answer) for answer in answers])
        finally:
            await captioner.close()

    calls = asyncio.run(run({"delay": 0.1}))
    assert 0.1 <= calls.seconds < 5
    assert calls.prompt_tokens == 256 + 3
    assert calls.completion_tokens == pytest.approx(13, abs=2)
    assert asyncio.run(run({"usage": False})).prompt_tokens is None
