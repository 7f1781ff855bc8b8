"""Orientation: the frame in which a picture was annotated, and the turning of its regions.

The library `datasets` turns pictures by their EXIF orientation when it decodes them, so shards
store them upright. Annotations are in the frame whose size they state: the frame of the stored
pixels (which pycocotools and PIL read) or, if only that fits, the frame of the upright picture.
Tools also state the stored size and draw on the upright picture, which boxes show that fit only the
latter.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.geometry import Box, swaps_sides, turn_box
from schemas.rejection import Reason, Rejected
from schemas.sample import Conversation, Frame, ImageInfo, Region
from schemas.source import SourceRegion
from transforms.picture import Picture

_SLACK = 2  # pixels by which a box may reach out of the frame that it fits


def annotated_as_stored(image: ImageInfo, picture: Picture) -> bool:
    """Return whether annotations are in the frame of the stored pixels, not the upright one.

    Raises:
        Rejected: the annotated size is neither the stored size nor the upright size.
    """
    annotated = image.width, image.height
    if annotated == (picture.width, picture.height) and image.frame != "upright":
        return True
    if annotated == upright_size(picture):
        return False
    raise Rejected(
        Reason.IMAGE_SIZE_MISMATCH,
        f"the picture has {picture.width} x {picture.height} pixels (EXIF orientation "
        f"{picture.orientation}), but {image.width} x {image.height} was annotated",
    )


def in_stated_frame(image: ImageInfo, picture: Picture, frame: Frame) -> ImageInfo:
    """Return an image with the size of the frame that the user states, and with that frame.

    An image whose annotated size fits neither frame is returned unchanged.
    """
    if (image.width, image.height) not in (_stored_size(picture), upright_size(picture)):
        return image
    width, height = _stored_size(picture) if frame == "stored" else upright_size(picture)
    return replace(image, width=width, height=height, frame=frame)


def in_frame_of_boxes(
    image: ImageInfo, picture: Picture, boxes: Sequence[Box]
) -> tuple[ImageInfo, bool]:
    """Return an image with the size of the frame that its boxes show, and whether that is another.

    Where the stated size is that of the stored pixels, no box fits only those, and one or more fit
    only the upright picture, the boxes are in the frame of the upright picture.

    Raises:
        Rejected: some boxes fit only the one frame, others only the other (`ambiguous_frame`).
    """
    stored, turned = _stored_size(picture), upright_size(picture)
    if (image.width, image.height) != stored or stored == turned:
        return image, False
    only_turned = sum(_fits(box, *turned) and not _fits(box, *stored) for box in boxes)
    only_stored = sum(_fits(box, *stored) and not _fits(box, *turned) for box in boxes)
    if only_turned and only_stored:
        raise Rejected(
            Reason.AMBIGUOUS_FRAME,
            f"{only_stored} boxes fit only the {stored[0]} x {stored[1]} stored pixels, "
            f"{only_turned} only the {turned[0]} x {turned[1]} upright picture (EXIF orientation "
            f"{picture.orientation}); expected all in one frame, or a stated one",
        )
    if not only_turned:
        return image, False
    return replace(image, width=turned[0], height=turned[1]), True


def may_be_turned(image: ImageInfo, regions: Sequence[SourceRegion]) -> bool:
    """Return whether a box fits only a picture of the image's sides exchanged."""
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    right, bottom = image.width + _SLACK, image.height + _SLACK
    for region in regions:  # of every image there is
        box = region.bbox
        if (box[2] > right or box[3] > bottom) and _fits(box, image.height, image.width):
            return True
    return False


def _fits(box: Box, width: int, height: int) -> bool:
    """Return whether a box lies in a frame; one without area fits nothing."""
    x0, y0, x1, y1 = box
    inside = -_SLACK <= x0 < x1 <= width + _SLACK
    return inside and -_SLACK <= y0 < y1 <= height + _SLACK


def _stored_size(picture: Picture) -> tuple[int, int]:
    return picture.width, picture.height


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
