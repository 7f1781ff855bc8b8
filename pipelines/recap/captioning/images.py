"""Many images through the two stages side by side; pictures are cut up where one is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pipelines.recap.captioning.journal import Journal, JournaledScorer, Notes
from pipelines.recap.captioning.two_stages import Captioned, CaptionedImage, TwoStages
from pipelines.recap.captioning.views import LazyView, PictureRefused, Sights
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ScreenedImage
from transforms.ledger import StageLedger


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the captioner made of an image."""

    image: ScreenedImage
    notes: Notes
    captions: CaptionedImage
    crops: dict[str, bytes]  # JPEG by region id, of accepted captions that have no score yet

    def accepted(self) -> dict[str, Captioned]:
        """Return the captions that were accepted, by region id."""
        found = self.captions.regions
        return {key: item for key, item in found.items() if isinstance(item, Captioned)}


class CaptionImages:
    """Takes images through the two stages, side by side."""

    def __init__(
        self,
        stages: Callable[[Notes], TwoStages],
        journals: Mapping[str, Journal],  # by image id
        sights: Sights,
        scorer: JournaledScorer | None,
        side_by_side: int,
        ledger: StageLedger,
    ) -> None:
        self._stages = stages
        self._journals = journals
        self._sights = sights
        self._scorer = scorer
        self._side_by_side = side_by_side
        self._book = ledger

    async def run(self, images: Sequence[ScreenedImage]) -> AsyncIterator[Outcome]:
        """Yield what became of each image, as it comes; images without any are rejected."""
        waiting = iter(images)
        running: set[asyncio.Task[Outcome | None]] = set()
        try:
            while True:
                for found in islice(waiting, self._side_by_side - len(running)):
                    running.add(asyncio.create_task(self._caption(found)))
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

    async def _caption(self, screened: ScreenedImage) -> Outcome | None:
        image, ledger = screened.image, self._book
        ledger.read(image, Kind.IMAGE)
        ledger.read(image, Kind.ANNOTATION, len(screened.regions))
        if not screened.regions:  # nobody is asked about it
            cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
            ledger.reject(image, Kind.IMAGE, image.image_id, cause)
            return None
        view = LazyView(screened, self._sights)
        try:
            notes = Notes(self._journals[image.image_id], await view.digest())
            captions = await self._stages(notes).caption(screened, view)
            outcome = Outcome(screened, notes, captions, {})
            for region_id in self._unscored(outcome):
                outcome.crops[region_id] = (await view.get()).regions[region_id].tight
        except PictureRefused as refused:
            ledger.reject(image, Kind.IMAGE, image.image_id, refused.cause)
            reason = f"image {image.image_id}: {refused.cause.reason}"
            for region in screened.regions:
                cause = Rejected(Reason.IMAGE_REJECTED, reason)
                ledger.reject(image, Kind.ANNOTATION, region.region_id, cause)
            return None
        return outcome if self._settle(outcome) else None

    def _unscored(self, outcome: Outcome) -> list[str]:
        if self._scorer is None:
            return []
        return [
            region_id
            for region_id, caption in outcome.accepted().items()
            if self._scorer.known(outcome.notes, region_key(outcome.image, region_id), caption.text)
            is None
        ]

    def _settle(self, outcome: Outcome) -> bool:
        image, ledger = outcome.image.image, self._book
        for region_id, verdict in outcome.captions.regions.items():
            if isinstance(verdict, Rejected):
                ledger.reject(image, Kind.ANNOTATION, region_id, verdict)
        accepted = len(outcome.accepted())
        ledger.kept(image, Kind.ANNOTATION, accepted)
        if accepted:
            ledger.kept(image, Kind.IMAGE)
        else:
            cause = Rejected(Reason.NO_REGIONS, "no region has a caption that was accepted")
            ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return bool(accepted)


def region_key(screened: ScreenedImage, region_id: str) -> str:
    """Return what tells a region from those of other images."""
    return f"{screened.image.image_id}/{region_id}"
