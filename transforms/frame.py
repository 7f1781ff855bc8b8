"""The frame of a picture: whether it is the annotated one, and what turning it upright changes.

`datasets` turns pictures by their EXIF orientation when it decodes them, so shards store them
upright. Annotations are in the frame whose size they state: that of the stored pixels (which
pycocotools and PIL read) or, if only that fits, that of the upright picture.
"""

from collections.abc import Sequence

import msgspec

from schemas.geometry import swaps_sides, turn_box
from schemas.rejection import Reason, Rejected
from schemas.sample import Conversation, ImageInfo, Region
from transforms.picture import Picture


def annotated_as_stored(image: ImageInfo, picture: Picture) -> bool:
    """Tell whether annotations are in the frame of the stored pixels, not the upright one.

    Raises:
        Rejected: the annotated size is that of neither frame.
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
    """Return the width and height of the picture once it is upright, pixels."""
    if swaps_sides(picture.orientation):
        return picture.height, picture.width
    return picture.width, picture.height


def turn_conversations(
    conversations: Sequence[Conversation], picture: Picture
) -> tuple[Conversation, ...]:
    """Return conversations whose regions lie in the upright frame."""
    return tuple(
        msgspec.structs.replace(
            conversation,
            regions=tuple(_turn_region(region, picture) for region in conversation.regions),
        )
        for conversation in conversations
    )


def _turn_region(region: Region, picture: Picture) -> Region:
    return msgspec.structs.replace(
        region,
        bbox=turn_box(region.bbox, picture.orientation, picture.width, picture.height),
        mask=region.mask and region.mask.turned(picture.orientation),
    )
