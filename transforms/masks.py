"""Masks: the step that turns the segmentations of an image's regions into run lengths.

Segmentations stay as their owner wrote them until an image is about to be composed, because
rasterising them takes longer than all other steps together. A mask that cannot be read never takes
a good box with it: the region is kept without a mask, which counts as a repair of the screen. So
it is where a mask lies apart from its box, or reaches far beyond it; and so is a mask in another
form than COCO's that is read all the same.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from schemas.mask import Mask
from schemas.mask_forms import MaskReading, read_masks
from schemas.mask_reach import fits_by_bounds, stray_masks
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Region, ScreenedImage
from schemas.source import MaskVariant
from transforms.ledger import StageLedger
from transforms.mask_ablation import ablate_mask

_REPAIRS = {
    Reason.MASK_MALFORMED: Repair.MASK_MALFORMED,
    Reason.MASK_SIZE_MISMATCH: Repair.MASK_SIZE_MISMATCH,
    Reason.IMAGE_OVER_PIXEL_CAP: Repair.MASK_OVER_PIXEL_CAP,
}


def add_masks(
    screened: ScreenedImage, ledger: StageLedger, variant: MaskVariant = "annotated"
) -> ScreenedImage:
    """Return the image with the masks of its regions, and without segmentations.

    Args:
        screened: the image; its segmentations are as their owner wrote them.
        ledger: the ledger of the screen, which counts the repairs.
        variant: the variant of the masks: as annotated, dilated or eroded.
    """
    if not screened.segmentations:
        return screened
    masks = _masks(screened, ledger)
    if variant != "annotated":
        masks = {region_id: ablate_mask(mask, variant) for region_id, mask in masks.items()}
    regions = [
        replace(region, mask=masks[region.region_id]) if region.region_id in masks else region
        for region in screened.regions
    ]
    return replace(screened, regions=tuple(regions), segmentations={})


def _masks(screened: ScreenedImage, ledger: StageLedger) -> dict[str, Mask]:
    """Return the masks that can be used, by the ids of their regions; the others are repairs."""
    image, raw = screened.image, screened.segmentations
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    regions = [region for region in screened.regions if region.region_id in raw]
    raws = [raw[region.region_id] for region in regions]
    masks: dict[str, Mask] = {}
    doubtful: list[Region] = []
    readings = read_masks(raws, image.height, image.width)
    for region, reading in zip(regions, readings, strict=True):
        if repair := _repair(reading):
            ledger.repaired(image, Kind.ANNOTATION, repair)
        if isinstance(reading, Rejected) or not reading.mask or repair is Repair.MASK_EMPTY:
            continue
        masks[region.region_id] = reading.mask
        if not (reading.bounds and fits_by_bounds(reading.bounds, region.bbox)):
            doubtful.append(region)
    for region_id in _astray(masks, doubtful, (image.height, image.width)):
        del masks[region_id]
        ledger.repaired(image, Kind.ANNOTATION, Repair.MASK_OFF_BOX)
    return masks


def _astray(
    masks: Mapping[str, Mask], regions: Sequence[Region], size: tuple[int, int]
) -> list[str]:
    """Return the ids of regions whose masks do not fit their boxes; `size`: height and width."""
    counts = [masks[region.region_id].counts for region in regions]
    stray = stray_masks(counts, [region.bbox for region in regions], size)
    return [regions[position].region_id for position, _ in stray]


def _repair(reading: MaskReading | Rejected) -> Repair | None:
    if isinstance(reading, Rejected):
        return _REPAIRS[reading.reason]
    if reading.mask and _is_blank(reading.mask):
        return Repair.MASK_EMPTY
    return reading.repair


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0
