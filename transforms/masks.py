"""Masks: the step that turns the segmentations of an image's regions into run lengths.

Segmentations stay as their owner wrote them until an image is about to be composed, because
rasterising them takes longer than all other steps together. A mask that cannot be read never takes
a good box with it: the region is kept without a mask, which counts as a repair of the screen. So
it is where a mask lies apart from its box, or reaches far beyond it; and so is a mask in another
form than COCO's that is read all the same.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from schemas.mask import Mask
from schemas.mask_forms import MaskReading, read_mask
from schemas.mask_reach import fits_by_bounds, stray_masks
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, ScreenedImage
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
    raw = screened.segmentations
    image = screened.image
    readings = {
        region.region_id: _reading(raw[region.region_id], image, ledger)
        for region in screened.regions
        if region.region_id in raw
    }
    masks = {key: reading.mask for key, reading in readings.items() if reading.mask}
    for region_id in _astray(masks, readings, screened):
        del masks[region_id]
        ledger.repaired(image, Kind.ANNOTATION, Repair.MASK_OFF_BOX)
    if variant != "annotated":
        masks = {region_id: ablate_mask(mask, variant) for region_id, mask in masks.items()}
    regions = [
        replace(region, mask=masks[region.region_id]) if region.region_id in masks else region
        for region in screened.regions
    ]
    return replace(screened, regions=tuple(regions), segmentations={})


def _astray(
    masks: Mapping[str, Mask], readings: Mapping[str, MaskReading], screened: ScreenedImage
) -> list[str]:
    """Return the ids of the regions whose masks do not fit their boxes."""
    image, boxes = screened.image, {region.region_id: region.bbox for region in screened.regions}
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    doubtful = [
        region_id
        for region_id in masks
        if not ((bounds := readings[region_id].bounds) and fits_by_bounds(bounds, boxes[region_id]))
    ]
    counts, size = [masks[key].counts for key in doubtful], (image.height, image.width)
    stray = stray_masks(counts, [boxes[key] for key in doubtful], size)
    return [doubtful[position] for position, _ in stray]


def _reading(raw: bytes, image: ImageInfo, ledger: StageLedger) -> MaskReading:
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    try:
        reading = read_mask(raw, image.height, image.width)
    except Rejected as cause:
        ledger.repaired(image, Kind.ANNOTATION, _REPAIRS[cause.reason])
        return MaskReading()
    if reading.mask and _is_blank(reading.mask):
        ledger.repaired(image, Kind.ANNOTATION, Repair.MASK_EMPTY)
        return MaskReading()
    if reading.repair:
        ledger.repaired(image, Kind.ANNOTATION, reading.repair)
    return reading


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0
