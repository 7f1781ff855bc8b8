"""The captioner of many images at a time; a picture is cropped only if a request needs it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

from pipelines.recap.captioning.journal import ImageJournal, Journal, RegionKey
from pipelines.recap.captioning.journaled import JournaledScorer
from pipelines.recap.captioning.two_stages import Captioned, CaptionedImage
from pipelines.recap.captioning.views import CropOptions, LazyImageView, PictureRefused
from pipelines.recap.clip.scorer import Score
from pipelines.storage import files
from schemas.geometry import Box
from schemas.rejection import Kind, Reason, Rejected, RejectedCaption
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger


@dataclass(frozen=True, slots=True)
class CaptionOutcome:
    """The captions of an image, and the crops of the captions that still need a score."""

    screened: ScreenedImage
    journal: ImageJournal
    captions: CaptionedImage
    crops: dict[str, bytes]  # JPEGs by region id, only for accepted captions without a score
    boxes: Mapping[str, Box] = field(default_factory=dict)  # in the upright picture, by region id

    def accepted(self) -> dict[str, Captioned]:
        """Return the accepted captions, by region id."""
        captions = self.captions.regions.items()
        return {key: caption for key, caption in captions if isinstance(caption, Captioned)}

    def left(self) -> dict[str, Captioned]:
        """Return what a judge leaves of the accepted captions, by region id; all without one."""
        judged = self.captions.judged
        captions = self.captions.regions if judged is None else judged
        return {key: left for key, left in captions.items() if isinstance(left, Captioned)}

    def with_chosen(self, chosen: Mapping[str, Captioned]) -> "CaptionOutcome":
        """Return the outcome with other captions of some regions, by region id."""
        regions, judged = {**self.captions.regions, **chosen}, self.captions.judged
        after = None if judged is None else {**judged, **chosen}
        return replace(self, captions=replace(self.captions, regions=regions, judged=after))

    def judged_false(self, region_id: str) -> Rejected | None:
        """Return why checks or a judge leave nothing of an accepted caption, or None."""
        left = (self.captions.judged or {}).get(region_id)
        return left if isinstance(left, Rejected) else None

    def accepted_regions(self) -> list[Region]:
        """Return the regions whose captions are accepted."""
        accepted = self.accepted()
        return [region for region in self.screened.regions if region.region_id in accepted]

    def key(self, region_id: str) -> RegionKey:
        """Return the journal's key of a region of this image."""
        return RegionKey(self.screened.image.image_id, region_id)

    def rejected(
        self,
        region: Region,
        text: str = "",
        score: Score | None = None,
        judge: float | None = None,
    ) -> RejectedCaption:
        """Return what the rejection of a region's caption records beside its reason."""
        image = self.screened.image
        assert image.file_name is not None, "regions need an image"
        return RejectedCaption(
            image=image.image_id,
            file=files.join(image.folder, image.file_name) if image.folder else image.file_name,
            box=self.boxes.get(region.region_id, region.bbox),
            category=region.category,
            text=text,
            clip=score.mean if score else None,
            clip_min=score.minimum if score else None,
            judge=judge,
        )


class RegionCaptioner(Protocol):
    """The interface of what captions one image and its regions."""

    async def caption(self, screened: ScreenedImage, view: LazyImageView) -> CaptionedImage:
        """Return the captions of an image; raise `PictureRefused` where it cannot be used."""


class ImageCaptioner:
    """A captioner of many images, several at a time; it counts them in the ledger of the stage."""

    def __init__(
        self,
        captioner_of: Callable[[ImageJournal], RegionCaptioner],
        journals: Mapping[str, Journal],  # the journal of each image, by image id
        options: CropOptions,
        scorer: JournaledScorer | None,
        concurrent_images: int,
        ledger: StageLedger,
    ) -> None:
        self._captioner_of = captioner_of
        self._journals = journals
        self._options = options
        self._scorer = scorer
        self._concurrent_images = concurrent_images
        # Not more at a time than there are cores, so that the first pictures are ready at once.
        self._cutting = asyncio.Semaphore(os.cpu_count() or 1)
        self._ledger = ledger

    async def run(self, images: Sequence[ScreenedImage]) -> AsyncIterator[CaptionOutcome]:
        """Yield the captions of each image as it is finished; reject images without captions."""
        waiting = iter(images)
        running: set[asyncio.Task[CaptionOutcome | None]] = set()
        try:
            while True:
                for screened in islice(waiting, self._concurrent_images - len(running)):
                    running.add(asyncio.create_task(self._caption(screened)))
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    outcome = task.result()
                    running.remove(task)
                    if outcome is not None:
                        yield outcome
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _caption(self, screened: ScreenedImage) -> CaptionOutcome | None:
        image, ledger = screened.image, self._ledger
        ledger.read(image, Kind.IMAGE)
        ledger.read(image, Kind.ANNOTATION, len(screened.regions))
        if not screened.regions:  # no captioner is called
            cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
            ledger.reject(image, Kind.IMAGE, image.image_id, cause)
            return None
        view = LazyImageView(screened, self._options, self._cutting)
        try:
            journal = ImageJournal(self._journals[image.image_id], await view.digest())
            captions = await self._captioner_of(journal).caption(screened, view)
            outcome = CaptionOutcome(screened, journal, captions, {}, await view.upright_boxes())
            for region_id in self._unscored(outcome):
                outcome.crops[region_id] = (await view.get()).regions[region_id].clip_crop
        except PictureRefused as refused:
            self._reject(screened, refused.cause)
            return None
        return outcome if self._count(outcome) else None

    def _unscored(self, outcome: CaptionOutcome) -> list[str]:
        if self._scorer is None:
            return []
        return [
            region_id
            for region_id, caption in outcome.left().items()
            if any(
                self._scorer.known(outcome.journal, outcome.key(region_id), text) is None
                for each in caption.all_samples
                for text in each.texts
            )
        ]

    def _reject(self, screened: ScreenedImage, cause: Rejected) -> None:
        """Reject an image whose picture cannot be used, with which its regions are left out."""
        image = screened.image
        self._ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        self._ledger.with_image(image, Kind.ANNOTATION, len(screened.regions))

    def _count(self, outcome: CaptionOutcome) -> bool:
        """Count an image and its regions in the ledger; return whether the image is kept."""
        image, ledger = outcome.screened.image, self._ledger
        for region in outcome.screened.regions:
            cause = outcome.captions.regions[region.region_id]
            if isinstance(cause, Rejected):
                refused = outcome.rejected(region)
                ledger.reject(image, Kind.ANNOTATION, region.region_id, cause, refused)
        accepted = len(outcome.accepted())
        ledger.kept(image, Kind.ANNOTATION, accepted)
        if accepted:
            ledger.kept(image, Kind.IMAGE)
        else:
            cause = Rejected(Reason.NO_REGIONS, "no region has a caption that was accepted")
            ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return bool(accepted)
