"""Entries that all sources make: rejections, and images checked against a listing and limited."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec.structs import replace

from pipelines.datasets.common.paths import check_file_name
from schemas.ids import rank
from schemas.limits import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo
from schemas.source import Entry, SplitInput

Refused = tuple[str, Rejected]  # id or position ("images[3]"), and reason
_Key = TypeVar("_Key")


def rejections(split: SplitInput, kind: Kind, refused: Iterable[Refused]) -> Iterator[Entry]:
    """Return the rejections of items that the read stage refuses."""
    return (rejection(split, kind, *refusal) for refusal in refused)


def rejection(split: SplitInput, kind: Kind, item_id: str, cause: Rejected) -> Rejection:
    """Return the rejection of an item that the read stage refuses."""
    return Rejection(
        source=split.source,
        split=split.split,
        stage="read",
        kind=kind,
        id=item_id,
        reason=cause.reason,
        detail=cause.detail,
    )


def limited(split: SplitInput, image_ids: Iterable[_Key]) -> set[_Key]:
    """Return the images that the split's limit allows, chosen by the hash of their ids."""
    candidates = list(image_ids)
    if split.limit is None or split.limit >= len(candidates):
        return set(candidates)
    seeds = (split.seed, "limit", split.owner or split.source, split.split)
    ranked = sorted((rank(*seeds, str(name)), str(name), name) for name in candidates)
    return {image_id for _, _, image_id in ranked[: split.limit]}


def image_info(
    split: SplitInput,
    image_id: str,
    file_name: str,
    size: tuple[int, int] | None,
    listing: Mapping[str, int],
    licence: str,
) -> ImageInfo:
    """Return an image that is usable according to its annotation and its folder's listing.

    Args:
        split: the split of the image.
        image_id: the id of the image, unique in the split.
        file_name: the owner's name of the file, a path below the split's folder of images.
        size: the annotated width and height, pixels; None where the owner states no size.
        listing: the sizes in bytes of the files in that folder.
        licence: the licence of the image and its annotations.

    Raises:
        Rejected: the name is unsafe, the size impossible, or the file missing, empty or too large.
    """
    name = check_file_name(file_name)
    width, height = size or (None, None)
    if size and not all(0 < side <= MAX_IMAGE_SIDE for side in size):
        raise Rejected(
            Reason.IMAGE_BAD_SIZE,
            f"annotated as {width} x {height}, expected sides of 1 to {MAX_IMAGE_SIDE}",
        )
    size_bytes = listing.get(name)
    if size_bytes is None:
        raise Rejected(Reason.IMAGE_MISSING, f"no file {name!r} in {split.folder or 'the folder'}")
    if size_bytes == 0:
        raise Rejected(Reason.IMAGE_EMPTY, f"{name!r} has no bytes")
    if size_bytes > MAX_IMAGE_BYTES:
        raise Rejected(
            Reason.IMAGE_OVER_BYTE_CAP, f"{size_bytes} bytes, at most {MAX_IMAGE_BYTES} are read"
        )
    return ImageInfo(
        source=split.source,
        split=split.split,
        image_id=image_id,
        file_name=name,
        folder=split.folder,
        width=width,
        height=height,
        size_bytes=size_bytes,
        licence=licence,
        shards=1,  # until the split's volume is known
    )


def sized_image(split: SplitInput, image: ImageInfo, size: tuple[int, int]) -> ImageInfo:
    """Return a usable image with the size that is annotated, width and height, pixels.

    Raises:
        Rejected: the size is impossible.
    """
    assert image.file_name is not None, "it has a picture"
    listing = {image.file_name: image.size_bytes}
    sized = image_info(split, image.image_id, image.file_name, size, listing, image.licence)
    return replace(sized, shards=image.shards)
