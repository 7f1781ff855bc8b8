"""Attach: the captions of the sampled regions are looked up and added to their images."""

from collections.abc import Mapping

from msgspec.structs import replace

from pipelines.captions.lookup import CaptionRow, detailed_caption
from schemas.item import CaptionRef, DetailedCaption, Item
from schemas.rejection import Rejected
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger
from transforms.screen_items import screen_item


def attach_captions(
    screened: ScreenedImage, captions: Mapping[str | None, CaptionRow], ledger: StageLedger
) -> ScreenedImage:
    """Return the image with captions in place of its `CaptionRef` items, and on their regions.

    Args:
        screened: the image; its items include references to captions.
        captions: the rows of the image's captions, by region id.
        ledger: the ledger of the stage.
    """
    regions = {region.region_id: region for region in screened.regions}
    items: list[Item] = []
    ledger.items_read(screened.image, screened.items)
    for item in screened.items:
        try:
            items.append(_with_text(item, captions, regions))
        except Rejected as cause:
            ledger.reject(screened.image, item.kind, item.id, cause)
    for item in items:
        if isinstance(item, DetailedCaption):
            region = regions[item.region_id]
            regions[item.region_id] = replace(
                region,
                caption=item.text,
                captions=item.captions,
                attributes=(*region.attributes, *item.attributes),
            )
    ledger.items_kept(screened.image, items)
    return replace(screened, regions=tuple(regions.values()), items=tuple(items))


def _with_text(
    item: Item, captions: Mapping[str | None, CaptionRow], regions: Mapping[str, Region]
) -> Item:
    if not isinstance(item, CaptionRef):
        return item
    return screen_item(detailed_caption(item, captions[item.region_id]), regions)
