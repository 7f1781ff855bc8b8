"""The two stages of captioning: a caption of the image first, then a caption of each region.

The image's caption is part of the prompts about its regions, as in RegionGPT, section 3.3. Each
answer is checked. If an answer is not accepted, the request is repeated once in another wording;
if the second answer is not accepted either, the region is rejected, with the reason. A run that
asks nobody rejects a region whose second answer it does not have, with the reason of the first.
Where several captions of a region are drawn, all that are accepted are returned, first the one that
agrees best with the others in its words.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pipelines.recap.captioning.captioner import Answer, Captioner, PromptImage, Request
from pipelines.recap.captioning.region_prompts import RegionPrompts
from pipelines.recap.captioning.views import LazyImageView
from pipelines.recipes.recap import Captioning
from prompts.recap_request import Prompt, global_prompt
from prompts.wordings import WordingSet
from schemas.ids import RANK_BITS, Hasher
from schemas.item import Attribute
from schemas.rejection import Reason, Rejected
from schemas.sample import Region, ScreenedImage
from schemas.text import shown_name
from transforms.agreement import agreement
from transforms.caption_checks import CaptionedRegion, accept_caption
from transforms.caption_parts import SCHEMA, accept_parts

T = TypeVar("T")

_ATTEMPTS = 2
_HALF = 2 ** (RANK_BITS - 1)
_ROUTE = "lane"  # salt of image ranks, which decide the server of an image


@dataclass(frozen=True, slots=True)
class Captioned:
    """An accepted caption, the wording of its prompt, and what else the answer holds."""

    text: str
    prompt: str  # id of the prompt's wording: "recap_region/1f0c2a9b"
    others: tuple[str, ...] = ()  # further captions of the same region
    attributes: tuple[Attribute, ...] = ()
    # Of each text, the probability that all of it is true; empty without a judge.
    true: Mapping[str, float] = field(default_factory=dict)
    # Mean overlap with the other captions that were drawn of it; None: there are no others.
    agreement: float | None = None
    samples: tuple["Captioned", ...] = ()  # these others, those that agree best first

    @property
    def all_samples(self) -> tuple["Captioned", ...]:
        """All accepted captions that were drawn of the region, itself first."""
        return (self, *self.samples)

    @property
    def texts(self) -> tuple[str, ...]:
        """All captions of the region, in the order of a record."""
        return (*self.others, self.text)


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """The caption of a whole image, and for each region its caption or its rejection."""

    global_caption: Captioned | None
    regions: dict[str, Captioned | Rejected]  # by region id
    # What a judge leaves of the accepted captions, by region id; None without a judge.
    judged: Mapping[str, Captioned | Rejected] | None = None


@dataclass(frozen=True, slots=True)
class _RequestKey:
    """The part of a request about an image or region that all attempts have in common."""

    id: str  # without the attempt: coco/train/7/image, coco/train/7/region/71
    image_rank: int  # requests of one rank go to one server
    wording_rank: int  # chooses the wording
    region_id: str | None  # None: the whole image
    max_tokens: int
    judged: CaptionedRegion | None = None  # what the checks of a region's caption need
    structured: bool = False  # whether the answer has several parts


class TwoStageCaptioner:
    """A captioner of an image and its regions; all regions of an image are captioned at once."""

    def __init__(
        self,
        captioner: Captioner,
        captioning: Captioning,
        wordings: Mapping[str, WordingSet],
        seed: int,
        min_words: int = 0,
    ) -> None:
        """Make a captioner of two stages.

        Args:
            captioner: the captioner that answers the requests.
            captioning: the settings of captioner and prompts.
            wordings: the sets of wordings, by name.
            seed: varies the wordings that are chosen.
            min_words: the least number of words of a region's caption.
        """
        self._captioner = captioner
        self._min_words = min_words
        self._captioning = captioning
        self._wordings = wordings
        self._seed = seed

    async def caption(self, screened: ScreenedImage, view: LazyImageView) -> CaptionedImage:
        """Return the captions of an image and of its regions.

        Raises:
            PictureRefused: a request needs the picture, and it cannot be used.
        """
        global_caption = None
        if self._captioning.global_caption:
            try:
                global_caption = await self._caption_whole(screened, view)
            except Rejected as cause:
                refusal = Rejected(Reason.NO_GLOBAL_CAPTION, f"the image's own caption: {cause}")
                return CaptionedImage(None, {each.region_id: refusal for each in screened.regions})

        target = await view.target() if self._captioning.neighbours else None
        prompts = RegionPrompts(self._captioning, self._wordings, screened, target)
        context = global_caption.text if global_caption else None

        async def caption_region(position: int) -> Captioned | Rejected:
            key = self._region_key(screened, screened.regions[position], context)
            return await self._samples(key, view, prompts.of(position, context))

        captions = await gather(map(caption_region, range(len(screened.regions))))
        ids = [region.region_id for region in screened.regions]
        return CaptionedImage(global_caption, dict(zip(ids, captions, strict=True)))

    async def _samples(
        self, key: _RequestKey, view: LazyImageView, prompt_of: Callable[[int], Prompt]
    ) -> Captioned | Rejected:
        """Return the caption that agrees best with the others, or why the first is rejected.

        The others stand in its `samples`.
        """

        async def sample(number: int) -> Captioned | Rejected:
            of_sample = replace(key, id=f"{key.id}/sample/{number}") if number else key
            try:
                return await self._ask(of_sample, view, prompt_of)
            except Rejected as cause:
                return cause

        first, *rest = await gather(map(sample, range(self._captioning.samples)))
        accepted = [each for each in (first, *rest) if isinstance(each, Captioned)]
        if len(accepted) < 2:
            return accepted[0] if accepted else first
        values = agreement([each.text for each in accepted])
        samples = [
            replace(each, agreement=round(value, 4))
            for value, each in zip(values, accepted, strict=True)
        ]
        order = sorted(range(len(samples)), key=lambda number: -values[number])
        best, *others = (samples[number] for number in order)
        return replace(best, samples=tuple(others))

    async def _caption_whole(self, screened: ScreenedImage, view: LazyImageView) -> Captioned:
        name, hasher = name_of(screened), self._hasher(screened)
        limit = self._captioning.global_tokens
        key = _RequestKey(f"{name}/image", hasher.rank(_ROUTE), hasher.rank("image"), None, limit)
        return await self._ask(key, view, lambda rank: global_prompt(self._wordings, rank))

    def _region_key(
        self, screened: ScreenedImage, region: Region, global_caption: str | None
    ) -> _RequestKey:
        hasher = self._hasher(screened)
        return _RequestKey(
            id=f"{name_of(screened)}/region/{region.region_id}",
            image_rank=hasher.rank(_ROUTE),
            wording_rank=hasher.rank("region", region.region_id),
            region_id=region.region_id,
            max_tokens=self._captioning.region_tokens,
            judged=self._judged(screened, region, global_caption),
            structured=self._captioning.structured,
        )

    def _judged(
        self, screened: ScreenedImage, region: Region, global_caption: str | None
    ) -> CaptionedRegion | None:
        if self._captioning.captioner == "builtin":
            return None  # it speaks of positions in the picture, which it measures
        names = {shown_name(each.category) for each in screened.regions if each.category}
        name = shown_name(region.category) if region.category else None
        return CaptionedRegion(
            class_name=name,
            others=tuple(sorted(names - {name})) if name else (),
            global_caption=global_caption,
            min_words=self._min_words,
        )

    def _hasher(self, screened: ScreenedImage) -> Hasher:
        image = screened.image
        return Hasher(self._seed, "recap", image.source, image.split, image.image_id)

    async def _ask(
        self, key: _RequestKey, view: LazyImageView, prompt_of: Callable[[int], Prompt]
    ) -> Captioned:
        async def load_image() -> PromptImage:
            return (await view.get()).prompt_image_of(key.region_id)

        causes: list[Rejected] = []
        for attempt in range(_ATTEMPTS):
            # Half the range of ranks further is another wording, if the set has several.
            text, prompt = prompt_of((key.wording_rank + attempt * _HALF) % (2 * _HALF))
            request = Request(
                id=f"{key.id}/{attempt}",
                image_rank=key.image_rank,
                prompt=text,
                load_image=load_image,
                max_tokens=key.max_tokens,
                answer_schema=SCHEMA if key.structured else None,
            )
            try:
                answer = await self._captioner.ask(request)
            except Rejected as cause:
                if causes and cause.reason is Reason.CAPTION_UNASKED:
                    break
                raise
            try:
                return _captioned(answer, prompt, key)
            except Rejected as cause:
                causes.append(cause)
        raise causes[-1]


def _captioned(answer: Answer, prompt: str, key: _RequestKey) -> Captioned:
    """Return what an answer says; raise `Rejected` where it fails a check."""
    if not key.structured:
        return Captioned(accept_caption(answer.text, answer.finish, key.judged), prompt)
    assert key.judged is not None, "answers in parts are of models, about regions"
    parts = accept_parts(answer.text, answer.finish, key.judged)
    return Captioned(parts.paragraph, prompt, parts.others, parts.attributes)


def name_of(screened: ScreenedImage) -> str:
    """Return the name of an image with which the ids of requests about it begin."""
    image = screened.image
    return f"{image.source}/{image.split}/{image.image_id}"


async def gather(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of all coroutines in order; if one fails, cancel the others."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
