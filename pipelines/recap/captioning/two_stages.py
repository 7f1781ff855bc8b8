"""The two stages: a caption of the image, then one of each region that is given it.

Each answer is judged; one that fails is asked for once more in another wording, and then its
region is rejected with the reason. RegionGPT, section 3.3.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipelines.recap.captioning.captioner import Asks, Request
from pipelines.recap.captioning.views import LazyView
from pipelines.recipes.recap import Captioning
from prompts.recap import Prompt, global_prompt, region_prompt
from prompts.wordings import WordingSet
from schemas.ids import RANK_BITS, Hasher
from schemas.rejection import Reason, Rejected
from schemas.sample import Region, ScreenedImage
from schemas.text import shown_name
from transforms.caption_checks import judge

T = TypeVar("T")

ATTEMPTS = 2
HALF = 2 ** (RANK_BITS - 1)


@dataclass(frozen=True, slots=True)
class Captioned:
    """A caption that was accepted, and the id of the wording that asked for it."""

    text: str
    prompt: str


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """What became of an image: its own caption, and a caption or a refusal for each region."""

    global_caption: Captioned | None
    regions: dict[str, Captioned | Rejected]  # by region id


@dataclass(frozen=True, slots=True)
class _About:
    """What a request is about."""

    id: str
    lane: int  # rank of the image: its requests go to one endpoint
    position: int  # rank that chooses the wording
    region_id: str | None  # None: the whole image
    max_tokens: int


class TwoStages:
    """Captions images, one call after the other or side by side, as the captioner allows."""

    def __init__(
        self,
        captioner: Asks,
        captioning: Captioning,
        wordings: Mapping[str, WordingSet],
        seed: int,
    ) -> None:
        self._captioner = captioner
        self._how = captioning
        self._wordings = wordings
        self._seed = seed

    async def caption(self, screened: ScreenedImage, view: LazyView) -> CaptionedImage:
        """Return the captions of an image and of its regions.

        Raises:
            PictureRefused: the picture is needed, and cannot be used.
        """
        image = screened.image
        name = f"{image.source}/{image.split}/{image.image_id}"
        chance = Hasher(self._seed, "recap", image.source, image.split, image.image_id)
        lane = chance.rank("lane")
        global_caption = None
        if self._how.global_caption:
            position, limit = chance.rank("image"), self._how.global_tokens
            about = _About(f"{name}/image", lane, position, None, limit)
            try:
                global_caption = await self._ask(
                    about, view, lambda at: global_prompt(self._wordings, at)
                )
            except Rejected as cause:
                refusal = Rejected(Reason.NO_GLOBAL_CAPTION, f"the image's own caption: {cause}")
                return CaptionedImage(None, {each.region_id: refusal for each in screened.regions})

        async def caption_region(region: Region) -> Captioned | Rejected:
            position, limit = chance.rank("region", region.region_id), self._how.region_tokens
            place = f"{name}/region/{region.region_id}"
            about = _About(place, lane, position, region.region_id, limit)
            try:
                return await self._ask(about, view, self._wording(region, global_caption))
            except Rejected as cause:
                return cause

        captions = await _side_by_side(map(caption_region, screened.regions))
        ids = [region.region_id for region in screened.regions]
        return CaptionedImage(global_caption, dict(zip(ids, captions, strict=True)))

    def _wording(self, region: Region, global_caption: Captioned | None) -> Callable[[int], Prompt]:
        name = shown_name(region.category) if region.category and self._how.class_name else None
        context = global_caption.text if global_caption else None
        return lambda position: region_prompt(self._wordings, position, context, name)

    async def _ask(
        self, about: _About, view: LazyView, prompt_at: Callable[[int], Prompt]
    ) -> Captioned:
        causes = []
        for attempt in range(ATTEMPTS):
            # Half way round the ranks lies another wording, as long as there are several.
            text, prompt = prompt_at((about.position + attempt * HALF) % (2 * HALF))
            request_id = f"{about.id}/{attempt}"

            async def build(request_id: str = request_id, text: str = text) -> Request:
                whole = await view.get()
                seen = whole if about.region_id is None else whole.regions[about.region_id]
                return Request(
                    id=request_id,
                    image_key=about.lane,
                    prompt=text,
                    jpeg=seen.jpeg,
                    max_tokens=about.max_tokens,
                    subject=seen.subject,
                )

            answer = await self._captioner.ask(request_id, build)
            try:
                return Captioned(judge(answer.text, answer.finish), prompt)
            except Rejected as cause:
                causes.append(cause)
        raise causes[-1]


async def _side_by_side(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results in order; where one fails, none of the others goes on behind our back."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
