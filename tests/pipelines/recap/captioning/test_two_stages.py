"""The two stages: their requests, the order of these, and the captions that answers become."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.captioner import Answer, PromptImage, Request
from pipelines.recap.captioning.two_stages import Captioned, TwoStageCaptioner
from pipelines.recap.captioning.views import CropOptions, LazyImageView, PictureRefused
from pipelines.recipes.recap import Captioning
from prompts.catalog import WORDING_SETS
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected
from schemas.sample import Region, ScreenedImage

GLOBAL, REGION = "Two boxes stand on a floor.", "The box is red and made of wood."
REFUSAL = "I'm sorry, I cannot help with that."


class Asked:
    """Answers from a table by the end of request ids, and remembers the requests."""

    def __init__(self, answers=None, seconds=None) -> None:
        self.requests: dict[str, Request] = {}
        self.images: dict[str, PromptImage] = {}
        self.cancelled: list[str] = []
        self._answers = answers or {}
        self._seconds = seconds or {}

    async def ask(self, request: Request) -> Answer:
        self.images[request.id] = await request.load_image()
        assert request.id not in self.requests
        self.requests[request.id] = request
        name = request.id.removeprefix("coco/train/7/")
        try:
            await asyncio.sleep(self._seconds.get(name, 0))
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        answer = self._answers.get(name, GLOBAL if name.startswith("image") else REGION)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(answer)

    async def close(self) -> None: ...

    def prompt(self, name: str) -> str:
        return self.requests[f"coco/train/7/{name}"].prompt

    def names(self) -> list[str]:
        return [name.removeprefix("coco/train/7/") for name in self.requests]


@pytest.fixture
def screened(tmp_path, make_image) -> ScreenedImage:
    """An image with three regions, of which one bears no name."""
    Image.new("RGB", (20, 10), (200, 30, 30)).save(tmp_path / "7.jpg")
    size = (tmp_path / "7.jpg").stat().st_size
    boxes = {"71": "wine_glass", "72": "dog", "73": None}
    regions = tuple(Region(name, (2.0, 2.0, 18.0, 8.0), category=of) for name, of in boxes.items())
    return ScreenedImage(make_image(size_bytes=size), regions)


@pytest.fixture
def caption(screened, tmp_path):
    """Takes the image through both stages."""

    def run(asked: Asked, image: ScreenedImage = screened, seed: int = 0, **captioning):
        options = CropOptions(folder=str(tmp_path), context=0.0, max_pixels=10_000, scored=False)

        async def captioned():
            stages = TwoStageCaptioner(
                asked, Captioning(model="m", **captioning), WORDING_SETS, seed
            )
            try:
                return await stages.caption(image, LazyImageView(image, options))
            finally:
                assert asyncio.all_tasks() == {asyncio.current_task()}

        return asyncio.run(captioned())

    return run


def test_the_caption_of_the_image_comes_first(caption) -> None:
    asked = Asked()
    result = caption(asked)
    assert asked.names() == ["image/0", "region/71/0", "region/72/0", "region/73/0"]
    assert result.global_caption.text == GLOBAL
    assert {key: item.text for key, item in result.regions.items()} == dict.fromkeys(
        ("71", "72", "73"), REGION
    )
    for number, name in (("71", "wine glass"), ("72", "dog")):
        prompt = asked.prompt(f"region/{number}/0")
        assert GLOBAL in prompt
        assert prompt.index(GLOBAL) < prompt.rindex(name)
    assert GLOBAL in asked.prompt("region/73/0")


def test_requests(caption) -> None:
    asked = Asked()
    caption(asked, global_tokens=11, region_tokens=22)
    whole, *crops = asked.requests.values()
    assert whole.max_tokens == 11
    assert {crop.max_tokens for crop in crops} == {22}
    assert len({request.image_rank for request in asked.requests.values()}) == 1
    picture, *cut_out = asked.images.values()
    assert picture.target
    assert picture.target.region is None
    regions = [image.target and image.target.region for image in cut_out]
    assert [region and region.category for region in regions] == ["wine glass", "dog", "thing"]
    assert picture.jpeg != cut_out[0].jpeg == cut_out[1].jpeg


def test_without_the_caption_of_the_image(caption) -> None:
    asked = Asked()
    result = caption(asked, global_caption=False)
    assert asked.names() == ["region/71/0", "region/72/0", "region/73/0"]
    assert result.global_caption is None
    assert "wine glass" in asked.prompt("region/71/0")
    assert all(isinstance(item, Captioned) for item in result.regions.values())


def test_without_class_names(caption) -> None:
    asked = Asked()
    caption(asked, class_name=False)
    for number in ("71", "72", "73"):
        assert GLOBAL in asked.prompt(f"region/{number}/0")
        assert "wine" not in asked.prompt(f"region/{number}/0")
        assert " dog" not in asked.prompt(f"region/{number}/0")
    alone = Asked()
    caption(alone, class_name=False, global_caption=False)
    assert GLOBAL not in alone.prompt("region/71/0")
    assert "wine" not in alone.prompt("region/71/0")


def test_prompt_ids_tell_the_case(caption) -> None:
    sets = {
        (whole, named): caption(Asked(), global_caption=whole, class_name=named)
        .regions["71"]
        .prompt.rpartition("/")[0]
        for whole in (True, False)
        for named in (True, False)
    }
    assert len(set(sets.values())) == 4


def test_the_second_attempt_is_in_another_wording(caption) -> None:
    calm = caption(Asked())
    asked = Asked({"image/0": REFUSAL, "region/71/0": Answer(REGION, "length")})
    result = caption(asked)
    assert asked.names()[:2] == ["image/0", "image/1"]
    assert asked.prompt("image/0") != asked.prompt("image/1")
    assert asked.prompt("region/71/0") != asked.prompt("region/71/1")
    assert "region/72/1" not in asked.names()
    assert result.global_caption.prompt != calm.global_caption.prompt
    assert result.regions["71"].text == REGION
    assert result.regions["71"].prompt != calm.regions["71"].prompt
    assert result.regions["72"] == calm.regions["72"]


def test_long_answers_are_cut_at_a_whole_sentence_and_cost_no_further_call(caption) -> None:
    whole = f"{REGION} Its lid stands open."
    asked = Asked(
        {
            "image/0": Answer(f"{GLOBAL} Beside th", "length"),
            "region/71/0": Answer(f"{whole} Its lo", "length"),
        }
    )
    result = caption(asked)
    assert (result.global_caption.text, result.regions["71"].text) == (GLOBAL, whole)
    assert asked.names() == ["image/0", "region/71/0", "region/72/0", "region/73/0"]
    assert {request.max_tokens for request in asked.requests.values()} == {512}, "the default"


def test_two_bad_answers_reject_a_region(caption) -> None:
    asked = Asked({"region/71/0": "", "region/71/1": REFUSAL})
    verdict = caption(asked).regions["71"]
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.CAPTION_REFUSAL, "of the last answer"
    assert "region/71/2" not in asked.names()


def test_a_refused_request_is_not_asked_in_other_words(caption) -> None:
    asked = Asked({"region/71/0": Rejected(Reason.CAPTION_FAILED, "status 400")})
    result = caption(asked)
    assert result.regions["71"].reason is Reason.CAPTION_FAILED
    assert "region/71/1" not in asked.names()
    assert isinstance(result.regions["72"], Captioned)


@pytest.mark.parametrize("cause", [REFUSAL, Rejected(Reason.CAPTION_FAILED, "status 400")])
def test_regions_of_an_image_without_caption(caption, cause) -> None:
    asked = Asked({"image/0": cause, "image/1": cause})
    result = caption(asked)
    assert result.global_caption is None
    assert {item.reason for item in result.regions.values()} == {Reason.NO_GLOBAL_CAPTION}
    assert not [name for name in asked.names() if name.startswith("region")]


def test_a_picture_that_is_gone_is_not_one_regions_fault(caption, tmp_path) -> None:
    (tmp_path / "7.jpg").unlink()
    for whole in (True, False):
        with pytest.raises(PictureRefused) as refused:
            caption(Asked(), global_caption=whole)
        assert refused.value.cause.reason is Reason.IMAGE_MISSING


def test_when_the_captioner_is_gone_nothing_goes_on(caption) -> None:
    asked = Asked({"region/71/0": BuildError("gone")}, {"region/72/0": 60, "region/73/0": 60})
    with pytest.raises(BuildError, match="gone"):
        caption(asked)
    assert sorted(asked.cancelled) == ["region/72/0", "region/73/0"]


def test_wordings_are_chosen_by_hash(caption, screened) -> None:
    prompts, others = (
        {caption(Asked(), seed=seed).global_caption.prompt for seed in seeds}
        for seeds in ([0, 0, 0], range(30))
    )
    assert len(prompts) == 1
    assert len(others) >= 8
    turned = replace(screened, regions=screened.regions[::-1])
    assert caption(Asked(), turned).regions == caption(Asked()).regions


def test_no_picture_is_read_where_all_is_known(caption, tmp_path) -> None:
    class Known(Asked):
        async def ask(self, request: Request) -> Answer:
            return Answer(GLOBAL if "/image/" in request.id else REGION)

    Path(tmp_path / "7.jpg").unlink()
    assert isinstance(caption(Known()).regions["71"], Captioned)
