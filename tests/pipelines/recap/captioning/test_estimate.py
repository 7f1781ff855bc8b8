"""The estimate of a run is measured on a few calls, and multiplied."""

import asyncio
import time
from dataclasses import replace

import pytest
from PIL import Image

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.captioning import views
from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.captioning.estimate import (
    Estimate,
    MeasuredCalls,
    estimate,
    estimate_run,
    measured,
)
from pipelines.recap.captioning.workload import SampledImage, Workload
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from schemas.sample import Region, ScreenedImage


def test_it_is_the_sum_over_stages() -> None:
    image = MeasuredCalls(seconds=3.6, prompt_tokens=300.0, completion_tokens=100.0)
    region = MeasuredCalls(seconds=7.2, prompt_tokens=500.0, completion_tokens=200.0)
    total = estimate([(1000, image), (10_000, region)], concurrency=10)
    assert total == Estimate(
        calls=11_000, prompt_tokens=5_300_000.0, completion_tokens=2_100_000.0, seconds=7560
    )
    assert total.line() == (
        "11,000 calls, 5.3 million tokens read and 2.1 million written, "
        "2 h 6 min at the rate measured"
    )


def test_each_stage_has_a_line_and_its_share_of_the_cache() -> None:
    image = MeasuredCalls(seconds=1, prompt_tokens=300, completion_tokens=100, cached_tokens=0)
    region = MeasuredCalls(seconds=1, prompt_tokens=500, completion_tokens=200, cached_tokens=250)
    parts = {name: estimate([(10, calls)], 1) for name, calls in (("a", image), ("b", region))}
    total = replace(estimate([(10, image), (10, region)], 1), stages=parts)
    assert list(total.lines()) == [
        "a: 10 calls, 3,000 tokens read (0 % of them from the server's cache) and 1,000 written, "
        "10 s at the rate measured",
        "b: 10 calls, 5,000 tokens read (50 % of them from the server's cache) and 2,000 written, "
        "10 s at the rate measured",
        "20 calls, 8,000 tokens read (31 % of them from the server's cache) and 3,000 written, "
        "20 s at the rate measured",
    ]


def test_tokens_may_be_unknown() -> None:
    silent = MeasuredCalls(seconds=1.0, prompt_tokens=None, completion_tokens=None)
    spoken = MeasuredCalls(seconds=1.0, prompt_tokens=5.0, completion_tokens=5.0)
    total = estimate([(10, silent), (10, spoken)], concurrency=1)
    assert total.prompt_tokens is None
    assert "not reported" in total.line()


def test_a_server_may_leave_out_that_nothing_was_in_its_cache() -> None:
    answers = [(1.0, Answer("A.", prompt_tokens=100)), (1.0, Answer("A.", cached_tokens=60))]
    assert measured(answers).cached_tokens == 30
    assert measured(answers[:1]).cached_tokens is None


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
    assert calls.completion_tokens == pytest.approx(20, abs=2)
    assert asyncio.run(run({"usage": False})).prompt_tokens is None


CAPTION = "A red box stands on a floor of boards, and its lid is closed by two small hooks of iron."


class Captioner:
    """Answers at once; calls about regions take more tokens."""

    def __init__(self, refused: str = "no call") -> None:
        self.closed = False
        self._refused = refused  # the end of the ids of calls that are answered without a caption

    async def ask(self, request: Request) -> Answer:
        if "/image/" in request.id:
            return Answer("Several things lie in a bright room with two windows.", "stop", 10, 10)
        text = "I cannot see it." if request.id.endswith(self._refused) else CAPTION
        return Answer(text, "stop", 30, 30)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("global_caption", "calls"), [(True, 150), (False, 100)])
def test_a_run_is_estimated_on_its_sampled_images(
    tmp_path, make_image, monkeypatch, global_caption, calls
) -> None:
    Image.new("RGB", (20, 10), (200, 30, 30)).save(tmp_path / "7.jpg")
    size = (tmp_path / "7.jpg").stat().st_size
    regions = tuple(Region(name, (2.0, 2.0, 18.0, 8.0), category="box") for name in ("1", "2"))
    good = ScreenedImage(make_image(size_bytes=size), regions)
    gone = ScreenedImage(make_image(file_name="gone.jpg", size_bytes=size), regions)
    view_image = views.view_image

    def view_slowly(*parts):
        time.sleep(0.5)
        return view_image(*parts)

    monkeypatch.setattr(views, "view_image", view_slowly)
    sampled = [SampledImage(0, gone, str(tmp_path)), SampledImage(1, good, str(tmp_path))]
    recipe = RecapRecipe(
        sources=(SourceRequest(name="coco", label_set="COCO-80"),),
        captioning=Captioning(model="m", global_caption=global_caption),
        filter=Filter(),
    )
    captioner = Captioner()
    total = estimate_run(Workload(50, 100, sampled), recipe, captioner, concurrency=1)
    assert total is not None
    made = 50 * 10 * global_caption + 100 * 30
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (calls, made, made)
    assert total.seconds < 0.4 * calls, "reading and cropping takes the server no time"
    assert captioner.closed

    nothing = estimate_run(Workload(50, 100, sampled[:1]), recipe, Captioner(), concurrency=1)
    assert nothing is None


def test_second_attempts_and_samples_are_calls_too(tmp_path, make_image) -> None:
    Image.new("RGB", (20, 10), (200, 30, 30)).save(tmp_path / "7.jpg")
    size = (tmp_path / "7.jpg").stat().st_size
    regions = tuple(Region(name, (2.0, 2.0, 18.0, 8.0), category="box") for name in ("1", "2"))
    image = ScreenedImage(make_image(size_bytes=size), regions)
    recipe = RecapRecipe(
        sources=(SourceRequest(name="coco", label_set="COCO-80"),),
        captioning=Captioning(model="m", samples=2),
        filter=Filter(judge_model="judge", judge_min=0.5),
    )
    workload = Workload(50, 100, [SampledImage(0, image, str(tmp_path))])
    total = estimate_run(workload, recipe, Captioner("region/1/0"), 1, judge=Captioner())
    assert total is not None
    calls = {name: part.calls for name, part in total.stages.items()}
    assert calls == {
        "captions of pictures": 50,
        "captions of regions": 250,
        "answers of the judge": 100,
    }
    assert total.calls == 400
