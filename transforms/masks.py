"""Masks: the step that turns the segmentations of an image's regions into run lengths.

Segmentations stay as their owner wrote them until an image is about to be composed, because
rasterising them takes longer than all other steps together. A mask that cannot be read never takes
a good box with it: the region is kept without a mask, which counts as a repair of the screen.
"""

from msgspec.structs import replace

from schemas.mask import Mask, parse_segmentation
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
    regions = [
        replace(region, mask=_mask(raw[region.region_id], screened.image, ledger, variant))
        if region.region_id in raw
        else region
        for region in screened.regions
    ]
    return replace(screened, regions=tuple(regions), segmentations={})


def _mask(raw: bytes, image: ImageInfo, ledger: StageLedger, variant: MaskVariant) -> Mask | None:
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    try:
        mask = parse_segmentation(raw, image.height, image.width)
    except Rejected as cause:
        ledger.repaired(image, Kind.ANNOTATION, _REPAIRS[cause.reason])
        return None
    if mask and _is_blank(mask):
        ledger.repaired(image, Kind.ANNOTATION, Repair.MASK_EMPTY)
        return None
    return ablate_mask(mask, variant) if mask and variant != "annotated" else mask


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0
