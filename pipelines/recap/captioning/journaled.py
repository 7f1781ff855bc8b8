"""A captioner and a scorer that reuse the answers and scores in a journal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from pipelines.recap.captioning.journal import Failure, ImageJournal, RegionKey
from pipelines.recap.clip.scorer import Score, Scorer
from schemas.rejection import Reason, Rejected


class JournaledCaptioner:
    """A captioner that passes requests to another captioner, unless a journal has the answer."""

    def __init__(self, inner: Captioner, journal: ImageJournal, *, retry_refused: bool) -> None:
        """Wrap a captioner in a journal.

        Args:
            inner: the captioner to wrap.
            journal: the journal of the image.
            retry_refused: whether to repeat requests that servers refused in an earlier run; a
                run that does not makes no calls.
        """
        self._inner = inner
        self._journal = journal
        self._retry_refused = retry_refused

    async def ask(self, request: Request) -> Answer:
        """Return the answer in the journal, or get the answer and add it to the journal."""
        if (answer := self._journal.answer(request.id)) is not None:
            return answer
        failure = self._journal.failure(request.id)
        if failure is None and not self._retry_refused and self._was_needless(request.id):
            raise Rejected(Reason.CAPTION_UNASKED, "was never asked for, and nothing is asked now")
        if failure is not None and not self._retry_refused:
            raise Rejected(*failure)
        # An unusable picture is refused first, since it is not a failure of the captioner.
        await request.load_image()
        try:
            answer = await self._inner.ask(replace(request, refused_before=failure is not None))
        except Rejected as cause:
            self._journal.add_failure(request.id, Failure(cause.reason, cause.detail))
            raise
        self._journal.add_answer(request.id, answer)
        return answer

    def _was_needless(self, request_id: str) -> bool:
        """Return whether a finished run had no need to ask, as its checks of answers were others.

        It accepted the first answer, or had no caption of the image and so asked about no region.
        """
        name, _, attempt = request_id.rpartition("/")
        if attempt != "0":
            return self._journal.knows(f"{name}/0")
        image, of_region, _ = name.rpartition("/region/")
        return bool(of_region) and self._journal.knows(f"{image}/image/1")

    async def close(self) -> None:
        """Do nothing, since the wrapped captioner serves other images too."""


class UnscoredCaption(NamedTuple):
    """A caption that needs a score."""

    journal: ImageJournal
    region: RegionKey
    crop: Image.Image
    caption: str


class JournaledScorer:
    """A scorer that passes captions to another scorer, unless a journal has the score."""

    def __init__(self, inner: Scorer, identity: str) -> None:
        """Wrap a scorer in a journal.

        Args:
            inner: the scorer to wrap.
            identity: the identity of the scorer, and its view of a region.
        """
        self._inner = inner
        self._identity = identity

    def known(self, journal: ImageJournal, region: RegionKey, caption: str) -> Score | None:
        """Return the score of a caption in the journal, or None."""
        return journal.score(self._identity, region, caption)

    def score(self, unscored: Sequence[UnscoredCaption]) -> list[Score]:
        """Score captions against their crops, and add the scores to the journal."""
        crops = [each.crop for each in unscored]
        scores = self._inner.score(crops, [each.caption for each in unscored])
        for each, score in zip(unscored, scores, strict=True):
            each.journal.add_score(self._identity, each.region, each.caption, score)
        return scores
