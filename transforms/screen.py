"""Screen: the step that keeps the usable regions and items of an image, in one form.

Crowds are left out; boxes are clipped to the image; category names must be showable; text is
disarmed. A region or item that fails is rejected with its reason, and the others are kept.
Segmentations are passed on as their owner wrote them (`transforms.masks`).
"""

from collections.abc import Mapping, Sequence

from schemas.geometry import fit_box, shorter_side, usable_area
from schemas.item import GroundedCaption, Item
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, Region, ScreenedImage
from schemas.source import SourceImage, SourceRegion
from schemas.text import shown_name, storable
from transforms.classes import known_classes
from transforms.ledger import StageLedger
from transforms.screen_items import screen_absent, screen_item


def screen_image(
    source_image: SourceImage, ledger: StageLedger, min_side: int = 0
) -> ScreenedImage:
    """Return the image with its usable regions and items.

    Args:
        source_image: the image as its owner annotated it.
        ledger: the ledger of the stage.
        min_side: the least length of a box's shorter side, pixels; smaller regions are rejected.
    """
    image = source_image.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(source_image.regions))
    regions = []
    refused = {}
    segmentations = {}
    for region in source_image.regions:
        try:
            regions.append(_screen_region(image, region, ledger, min_side))
            if region.segmentation:
                segmentations[region.region_id] = region.segmentation
        except Rejected as cause:
            refused[region.region_id] = cause
            ledger.reject(image, Kind.ANNOTATION, region.region_id, cause)
    ledger.kept(image, Kind.IMAGE)
    ledger.kept(image, Kind.ANNOTATION, len(regions))
    items = _screen_items(source_image, regions, refused, ledger) if source_image.items else ()
    stated, usable = source_image.classes, {region.region_id: region for region in regions}
    return ScreenedImage(
        image,
        tuple(regions),
        items,
        source_image.label_set,
        segmentations,
        screen_absent(source_image.absent),
        known_classes(stated, source_image.regions, usable) if stated else None,
    )


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
    image: ImageInfo, region: SourceRegion, ledger: StageLedger, min_side: int
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
    if min_side and (side := shorter_side(box)) < min_side:
        raise Rejected(
            Reason.REGION_SMALL, f"its shorter side has {side:.1f} pixels, expected {min_side}"
        )
    if clipped:
        ledger.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    area = usable_area(region.area)
    return Region(region.region_id, box, None, area, category, region.score)
