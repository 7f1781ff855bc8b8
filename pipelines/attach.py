"""Describe: the captions of the regions that a recipe takes are looked up, and put on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from pipelines.captions.lookup import CaptionRow, SplitCaptions, detailed_caption
from pipelines.recipes.recipe import RECAPD_ROLE
from schemas.item import CaptionRef, DetailedCaption, Item
from schemas.ledger import Stage
from schemas.rejection import Rejected
from schemas.sample import Region, ScreenedImage
from schemas.source import SplitInput
from transforms.ledger import StageLedger
from transforms.screen_items import screen_item
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage, skip_stage


def describe_image(
    screened: ScreenedImage, told: Mapping[str | None, CaptionRow], ledger: StageLedger
) -> ScreenedImage:
    """Return the image with captions on its regions, and the items that they are in full.

    Args:
        screened: the image, with the captions it has as pending.
        told: what is said of its regions, by id.
        ledger: of the stage.
    """
    regions = {region.region_id: region for region in screened.regions}
    items: list[Item] = []
    ledger.items_read(screened.image, screened.items)
    for item in screened.items:
        try:
            items.append(_looked_up(item, told, regions))
        except Rejected as cause:
            ledger.reject(screened.image, item.kind, item.id, cause)
    for item in items:
        if isinstance(item, DetailedCaption):
            region = regions[item.region_id]
            regions[item.region_id] = replace(region, caption=item.text, score=item.score)
    ledger.items_kept(screened.image, items)
    return replace(screened, regions=tuple(regions.values()), items=tuple(items))


def _looked_up(
    item: Item, told: Mapping[str | None, CaptionRow], regions: Mapping[str, Region]
) -> Item:
    if not isinstance(item, CaptionRef):
        return item
    return screen_item(detailed_caption(item, told[item.region_id]), regions)


class _DescribeImages(StageDoFn[list[ScreenedImage], list[ScreenedImage]]):
    stage = Stage.CAPTION

    def __init__(self, splits: Sequence[SplitInput]) -> None:
        self._splits = {(split.source, split.split): split for split in splits}

    def setup(self) -> None:
        """Forget the captions of another run."""
        self._captions: dict[tuple[str, str], SplitCaptions] = {}

    def results(self, element: list[ScreenedImage]) -> Iterator[list[ScreenedImage]]:
        """Yield the images of a batch with their captions."""
        yield [self._described(screened) for screened in element]

    def _described(self, screened: ScreenedImage) -> ScreenedImage:
        at = screened.image.source, screened.image.split
        if at not in self._splits:
            return screened
        if at not in self._captions:
            self._captions[at] = SplitCaptions(self._splits[at])
        return describe_image(screened, self._captions[at].of(screened.image.image_id), self.ledger)


@dataclass
class DescribeRegions(
    StageTransform[PCollection[list[ScreenedImage]], StageOutputs[list[ScreenedImage]]]
):
    """Batches of ScreenedImage -> the same with the captions that there are of their regions."""

    splits: Sequence[SplitInput]  # of the build

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> StageOutputs[list[ScreenedImage]]:
        """Apply `describe_image` to the images of every split with captions."""
        splits = [split for split in self.splits if RECAPD_ROLE in split.files]
        if not splits:
            return skip_stage(pcoll)
        return run_stage(pcoll, _DescribeImages(splits))
