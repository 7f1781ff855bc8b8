"""A captioner of an image whose captions are checked by measures, and judged by a second model.

What boxes or pixels contradict needs no judge, and is not asked about.

Of several captions of a region each is judged, and one stays; what they share is asked about once.

The judge sees the pictures of a marked region: the whole one, and a close-up. Its answers are kept
in the image's journal under ids with a digest of the model, the view and all words of the question.
"""

from collections.abc import Mapping, Sequence

from pipelines.recap.captioning.captioner import Captioner, PromptImage, Request
from pipelines.recap.captioning.images import RegionCaptioner
from pipelines.recap.captioning.judged import (
    Judged,
    Unjudged,
    Verdicts,
    after_judging,
    choose,
    truth_of,
    units_of,
)
from pipelines.recap.captioning.marked import mark_of
from pipelines.recap.captioning.measured import check_subject, contradictions
from pipelines.recap.captioning.two_stages import (
    Captioned,
    CaptionedImage,
    gather,
    name_of,
)
from pipelines.recap.captioning.views import LazyImageView
from pipelines.recipes.recap import RecapRecipe
from pipelines.recipes.recap_judge import JudgeModel
from prompts.recap_judge import judge_question
from schemas.errors import BuildError
from schemas.ids import rank
from schemas.rejection import Rejected
from schemas.sample import ScreenedImage
from schemas.text import shown_name
from transforms.yes_no import read_yes_no

_SHOWN = 40  # characters of an answer in the detail of a rejection


class JudgedCaptioner:
    """A captioner of an image and its regions, whose captions are checked and judged."""

    def __init__(
        self, inner: RegionCaptioner, judge: Captioner | None, recipe: RecapRecipe
    ) -> None:
        """Put checks and a judge after a captioner.

        Args:
            inner: the captioner of images.
            judge: what answers the questions to the judge; None: there is none.
            recipe: its filter names the judge's model, and says whether measures are checked.
        """
        self._inner = inner
        self._judge = judge
        self._model = recipe.filter.judge(recipe.captioning.max_pixels)
        self._limits = recipe.filter
        self._least_words = recipe.min_words or 0

    async def caption(self, screened: ScreenedImage, view: LazyImageView) -> CaptionedImage:
        """Return the captions of an image and of its regions, with what the judge leaves of them.

        Raises:
            PictureRefused: a request needs the picture, and it cannot be used.
        """
        captioned = await self._inner.caption(screened, view)

        async def judge_region(position: int) -> Judged | None:
            caption = captioned.regions[screened.regions[position].region_id]
            if isinstance(caption, Rejected):
                return None
            return await self._chosen(screened, position, caption.all_samples, view)

        judged = await gather(map(judge_region, range(len(screened.regions))))
        ids = [region.region_id for region in screened.regions]
        chosen = {key: each for key, each in zip(ids, judged, strict=True) if each is not None}
        return CaptionedImage(
            captioned.global_caption,
            captioned.regions | {key: each.caption for key, each in chosen.items()},
            {key: each.left for key, each in chosen.items()},
        )

    async def _chosen(
        self,
        screened: ScreenedImage,
        position: int,
        samples: Sequence[Captioned],
        view: LazyImageView,
    ) -> Judged:
        """Return that one of a region's captions which stays, and what is left of it."""
        by_sentence = self._limits.judge_sentences
        causes = [await self._other_subject(caption, position, view) for caption in samples]
        of_subject = [each for each, cause in zip(samples, causes, strict=True) if cause is None]
        units = [unit for each in of_subject for unit in units_of(each, by_sentence=by_sentence)]
        verdicts = await self._verdicts(screened, position, list(dict.fromkeys(units)), view)

        def judged(caption: Captioned, cause: Rejected | None) -> Judged:
            if cause is not None:
                return Judged(caption, cause, 0.0)
            truth = truth_of(caption, verdicts, by_sentence=by_sentence)
            try:
                left = after_judging(caption, verdicts, self._limits, self._least_words)
            except Rejected as false:
                return Judged(caption, false, truth)
            return Judged(caption, left, truth)

        return choose(list(map(judged, samples, causes)), self._limits.chosen_by)

    async def _other_subject(
        self, caption: Captioned, position: int, view: LazyImageView
    ) -> Rejected | None:
        """Return why a caption is of another object, where that is checked; None: it is not."""
        if not self._limits.measured_checks:
            return None
        try:
            await check_subject(caption, position, view)
        except Rejected as cause:
            return cause
        return None

    async def _verdicts(
        self, screened: ScreenedImage, position: int, units: Sequence[str], view: LazyImageView
    ) -> Verdicts:
        """Return what measures and the judge say of the units of captions of a region."""
        against: Mapping[str, Rejected] = {}
        if self._limits.measured_checks:
            region_id = screened.regions[position].region_id
            against = await contradictions(units, position, region_id, view)

        async def judge_unit(unit: str) -> float | Rejected:
            if unit in against:
                return against[unit]
            if self._judge is None or self._model is None:
                return 1.0
            request = self._request(self._model, screened, position, unit, view)
            return await ask_judge(self._judge, request)

        return dict(zip(units, await gather(map(judge_unit, units)), strict=True))

    @staticmethod
    def _request(
        model: JudgeModel, screened: ScreenedImage, position: int, unit: str, view: LazyImageView
    ) -> Request:
        region, name = screened.regions[position], name_of(screened)
        class_name = shown_name(region.category) if region.category else None
        question = judge_question(unit, mark_of(position), class_name)

        async def load_image() -> PromptImage:
            return (await view.get()).judged_image_of(region.region_id)

        return Request(
            id=f"{name}/region/{region.region_id}/judge/{model.digest(question)}",
            image_rank=rank("judge", name),  # the calls about an image begin with the same bytes
            prompt=question,
            load_image=load_image,
            max_tokens=model.max_tokens,
            yes_no=True,
        )


async def ask_judge(judge: Captioner, request: Request) -> float | Unjudged:
    """Return the probability of yes to a question, or why the judge says neither yes nor no.

    Raises:
        PictureRefused: the picture cannot be used.
        BuildError: the judge can answer no question.
    """
    try:
        answer = await judge.ask(request)
    except Rejected as cause:
        return Unjudged(f"the judge's server refuses: {cause.detail}")
    except BuildError as error:
        raise BuildError(f"the judge: {error}") from None
    verdict = read_yes_no(answer.text)
    if verdict is None:
        return Unjudged(f"the judge says neither yes nor no, but {answer.text[:_SHOWN]!r}")
    return answer.yes if isinstance(answer.yes, float) else float(verdict)
