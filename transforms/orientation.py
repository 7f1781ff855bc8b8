"""Orientation: the frame in which a picture was annotated, and the turning of its regions.

The library `datasets` turns pictures by their EXIF orientation when it decodes them, so shards
store them upright. Annotations are in the frame whose size they state: the frame of the stored
pixels (which pycocotools and PIL read) or, if only that fits, the frame of the upright picture.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.geometry import swaps_sides, turn_box
from schemas.rejection import Reason, Rejected
from schemas.sample import Conversation, ImageInfo, Region
from transforms.picture import Picture


def annotated_as_stored(image: ImageInfo, picture: Picture) -> bool:
    """Return whether annotations are in the frame of the stored pixels, not the upright one.

    Raises:
        Rejected: the annotated size is neither the stored size nor the upright size.
    """
    annotated = image.width, image.height
    if annotated == (picture.width, picture.height):
        return True
    if annotated == upright_size(picture):
        return False
    raise Rejected(
        Reason.IMAGE_SIZE_MISMATCH,
        f"the picture has {picture.width} x {picture.height} pixels (EXIF orientation "
        f"{picture.orientation}), but {image.width} x {image.height} was annotated",
    )


def upright_size(picture: Picture) -> tuple[int, int]:
    """Return the width and height of the upright picture, pixels."""
    if swaps_sides(picture.orientation):
        return picture.height, picture.width
    return picture.width, picture.height


def turn_regions(
    conversations: Sequence[Conversation], picture: Picture
) -> tuple[Conversation, ...]:
    """Return conversations about a picture with their regions turned into the upright frame."""
    turned: dict[Region, Region] = {}  # conversations share most of their regions
    for conversation in conversations:
        for region in conversation.regions:
            if region not in turned:
                turned[region] = _turn_region(region, picture)
    return tuple(
        replace(conversation, regions=tuple(turned[region] for region in conversation.regions))
        for conversation in conversations
    )


def _turn_region(region: Region, picture: Picture) -> Region:
    return replace(
        region,
        bbox=turn_box(region.bbox, picture.orientation, picture.width, picture.height),
        mask=region.mask and region.mask.turned(picture.orientation),
    )
