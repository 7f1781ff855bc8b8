"""Captions and scores that are written down: asked for once over all runs, but about one picture.

`journal_format_2.jsonl` was written by an earlier version, of an image with a global caption, four
captions of regions with their scores, and a region that the server refused.
"""

import asyncio
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pipelines.recap.captioning.captioner import Answer, PromptImage, Request
from pipelines.recap.captioning.journal import ImageJournal, Journal, RegionKey
from pipelines.recap.captioning.journaled import (
    JournaledCaptioner,
    JournaledScorer,
    UnscoredCaption,
)
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.captioning.views import PictureRefused
from pipelines.recap.clip.scorer import Score
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected

ANSWER = Answer("A red box.", "stop", 7, 3)
CROP = Image.new("RGB", (4, 4))
EARLIER = Path(__file__).with_name("journal_format_2.jsonl")
EARLIER_PICTURE = "21aeefa4cfe2cb3f"
EARLIER_SCORER = "small sha256:e9299f1f6e30c80661f2de3d83b100027482e5cee4914e86ae151f345097d844"


class Captioner:
    """Answers, refuses requests that are called bad, and breaks on those called broken."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    async def ask(self, request: Request) -> Answer:
        self.asked.append((request.id, request.refused_before))
        if "bad" in request.id:
            raise Rejected(Reason.CAPTION_FAILED, f"status 400 for {request.id}")
        if "broken" in request.id:
            raise BuildError("gone")
        return ANSWER

    async def close(self) -> None: ...


class Scorer:
    """Scores by the length of captions."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def score(self, crops, captions) -> list[Score]:
        return [Score(len(caption) / 100, 0.0) for caption in captions]


class NoScorer(Scorer):
    """Must not be asked."""

    def score(self, crops, captions) -> list[Score]:
        raise AssertionError("all scores are written down")


async def small_picture() -> PromptImage:
    return PromptImage(b"JPEG")


async def no_picture() -> PromptImage:
    raise PictureRefused(Rejected(Reason.IMAGE_TRUNCATED, "ends early"))


def request_of(request_id: str, load_image=small_picture) -> Request:
    return Request(id=request_id, image_rank=0, prompt="", load_image=load_image, max_tokens=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "train.jsonl"


@pytest.fixture
def ask(path):
    """Asks as a run of its own does."""

    def asked(
        inner, request_id: str, picture: str = "p", retry_refused: bool = True, load=small_picture
    ) -> Answer:
        with Journal(str(path)) as journal:
            journaled = ImageJournal(journal, picture)
            captioner = JournaledCaptioner(inner, journaled, retry_refused=retry_refused)
            return asyncio.run(captioner.ask(request_of(request_id, load)))

    return asked


def test_an_answered_request_is_asked_once_over_all_runs(ask) -> None:
    inner = Captioner()
    for retry_refused in (True, True, False):
        assert ask(inner, "good/0", retry_refused=retry_refused) == ANSWER
    assert inner.asked == [("good/0", False)]


def test_another_picture_is_another_request(ask) -> None:
    inner = Captioner()
    for picture in "pqpq":
        assert ask(inner, "good/0", picture) == ANSWER
    assert inner.asked == [("good/0", False)] * 2


def test_a_refused_request_is_asked_again_by_the_next_run(path, ask) -> None:
    inner = Captioner()
    for _ in range(3):
        with pytest.raises(Rejected):
            ask(inner, "bad/0")
    assert inner.asked == [("bad/0", False), ("bad/0", True), ("bad/0", True)]
    assert path.read_bytes().count(b"\n") == 1, "the same is noted once"
    with pytest.raises(Rejected, match="status 400 for bad/0") as refused:
        ask(inner, "bad/0", retry_refused=False)
    assert refused.value.reason is Reason.CAPTION_FAILED
    assert len(inner.asked) == 3


def test_a_captioner_that_is_gone_is_not_held_against_a_request(ask) -> None:
    inner = Captioner()
    for _ in range(2):
        with pytest.raises(BuildError):
            ask(inner, "broken/0")
    assert inner.asked == [("broken/0", False)] * 2


def test_a_picture_that_cannot_be_used_is_refused_before_anybody_is_asked(path, ask) -> None:
    for inner in (Captioner(), ReplayOnlyCaptioner()):
        with pytest.raises(PictureRefused):
            ask(inner, "good/0", load=no_picture)
    assert path.read_bytes() == b""
    with pytest.raises(BuildError, match="good/0 was never answered about the picture as it is"):
        ask(ReplayOnlyCaptioner(), "good/0")


def test_scores_are_those_of_a_scorer_a_region_a_picture_and_a_caption(path) -> None:
    region, other_region = RegionKey("1", "11"), RegionKey("1", "12")
    with Journal(str(path)) as journal:
        image = ImageJournal(journal, "p")
        scorer = JournaledScorer(Scorer("one"), "one")
        scores = scorer.score(
            [
                UnscoredCaption(image, region, CROP, "A box."),
                UnscoredCaption(image, other_region, CROP, "A can."),
            ]
        )
        assert scores == [Score(0.06, 0.0)] * 2
    with Journal(str(path)) as journal:
        image, changed = ImageJournal(journal, "p"), ImageJournal(journal, "q")
        scorer, other = (JournaledScorer(Scorer(name), name) for name in ("one", "two"))
        assert scorer.known(image, region, "A box.") == Score(0.06, 0.0)
        assert scorer.known(image, region, "A can.") is None
        assert scorer.known(image, RegionKey("2", "11"), "A box.") is None
        assert scorer.known(changed, region, "A box.") is None
        assert other.known(image, region, "A box.") is None


def test_a_journal_of_an_earlier_version_is_replayed_without_a_question(path) -> None:
    path.parent.mkdir()
    shutil.copyfile(EARLIER, path)
    name = "recapd/train/47"
    regions = {
        "47.28.d7584285598b07b9": 0.56602,
        "47.86.bf8f2b27d30d4e24": 0.61275,
        "47.145.6e98a8024d77bac6": 0.41598,
        "47.162.7ac39724dbb7390e": 0.4278,
    }
    with Journal(str(path)) as journal:
        image = ImageJournal(journal, EARLIER_PICTURE)
        captioner = JournaledCaptioner(ReplayOnlyCaptioner(), image, retry_refused=False)
        scorer = JournaledScorer(NoScorer(EARLIER_SCORER), EARLIER_SCORER)

        def replayed(request_id: str) -> Answer:
            return asyncio.run(captioner.ask(request_of(request_id, no_picture)))

        assert replayed(f"{name}/image/0") == Answer(
            "There is a tall person next to a wall, in grey light.", "stop", 272, 12
        )
        for region_id, score in regions.items():
            answer = replayed(f"{name}/region/{region_id}/0")
            known = scorer.known(image, RegionKey("47", region_id), answer.text)
            assert known == Score(score, score)
        with pytest.raises(Rejected, match="status 400: as the script says"):
            replayed(f"{name}/region/47.104.f62c4a7f601cec85/0")
    assert path.read_bytes() == EARLIER.read_bytes()
