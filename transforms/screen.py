"""Screen: the step that keeps the usable regions and items of an image, in one form.

Crowds are left out; boxes are clipped to the image; masks of any form become run lengths; category
names must be showable; text is disarmed. A region or item that fails is rejected with its reason,
and the others are kept.
"""

from collections.abc import Mapping, Sequence

from schemas.geometry import fit_box, usable_area
from schemas.item import GroundedCaption, Item
from schemas.mask import Mask, parse_segmentation
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, Region, ScreenedImage
from schemas.source import MaskVariant, SourceImage, SourceRegion
from schemas.text import shown_name, storable
from transforms.ledger import StageLedger
from transforms.mask_ablation import ablate_mask
from transforms.screen_items import screen_item


def screen_image(
    source_image: SourceImage, ledger: StageLedger, masks: MaskVariant = "annotated"
) -> ScreenedImage:
    """Return the image with its usable regions and items.

    Args:
        source_image: the image as its owner annotated it.
        ledger: the ledger of the stage.
        masks: the variant of the regions' masks: as annotated, dilated or eroded.
    """
    image = source_image.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(source_image.regions))
    regions = []
    refused = {}
    for region in source_image.regions:
        try:
            regions.append(_screen_region(image, region, ledger, masks))
        except Rejected as cause:
            refused[region.region_id] = cause
            ledger.reject(image, Kind.ANNOTATION, region.region_id, cause)
    ledger.kept(image, Kind.IMAGE)
    ledger.kept(image, Kind.ANNOTATION, len(regions))
    items = _screen_items(source_image, regions, refused, ledger) if source_image.items else ()
    return ScreenedImage(image, tuple(regions), items, source_image.label_set)


def _screen_items(
    source_image: SourceImage,
    regions: Sequence[Region],
    refused: Mapping[str, Rejected],
    ledger: StageLedger,
) -> tuple[Item, ...]:
    known: dict[str, Region | Rejected] = {
        **refused,
        **{region.region_id: region for region in regions},
    }
    has_picture = source_image.image.file_name is not None
    items = []
    for item in source_image.items:
        try:
            screened = screen_item(item, known, has_picture=has_picture)
        except Rejected as cause:
            ledger.reject(source_image.image, item.kind, item.id, cause)
            continue
        items.append(screened)
        if isinstance(item, GroundedCaption) and isinstance(screened, GroundedCaption):
            for _ in range(len(item.phrases()) - len(screened.phrases())):
                ledger.repaired(source_image.image, item.kind, Repair.PHRASE_UNBOXED)
    ledger.items_read(source_image.image, source_image.items)
    ledger.items_kept(source_image.image, items)
    return tuple(items)


def _screen_region(
    image: ImageInfo, region: SourceRegion, ledger: StageLedger, masks: MaskVariant
) -> Region:
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    if region.crowd:
        raise Rejected(Reason.CROWD, "marks a group of objects, expected a single one")
    category = region.category
    if category is not None:
        category = storable(category)
        shown_name(category)
    box, clipped = fit_box(region.bbox, image.width, image.height)
    mask = parse_segmentation(region.segmentation, image.height, image.width)
    if clipped:
        ledger.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    if mask and _is_blank(mask):
        mask = None
        ledger.repaired(image, Kind.ANNOTATION, Repair.MASK_EMPTY)
    if mask and masks != "annotated":
        mask = ablate_mask(mask, masks)
    return Region(region.region_id, box, mask, usable_area(region.area), category, region.score)


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0
