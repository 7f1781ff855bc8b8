"""Annotations in COCO's format as records that ask one question about each region.

    {"images": [{"id": 7, "file_name": "a/7.jpg", "width": 640, "height": 480}],
     "annotations": [{"id": 1, "image_id": 7, "bbox": [x, y, width, height], "segmentation": ...}]}

Pictures are read when their record is asked about. Boxes are in pixels of the upright picture: a
picture of another size than the file states is not asked about.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import InputFileError
from schemas.geometry import xyxy
from schemas.json_decoding import decode
from schemas.json_lines import read_file
from schemas.mask_forms import read_mask
from schemas.rejection import Rejected
from train.data.rows import Row


class CocoImage(msgspec.Struct, frozen=True):
    """A picture of the file."""

    id: int | str
    file_name: str  # below the folder of pictures
    width: int | None = None  # pixels
    height: int | None = None


class CocoRegion(msgspec.Struct, frozen=True):
    """An annotation of the file."""

    image_id: int | str
    id: int | str | None = None
    bbox: tuple[float, float, float, float] | None = None  # x, y, width, height; pixels
    segmentation: msgspec.Raw = msgspec.Raw(b"")


class _File(msgspec.Struct):
    images: list[CocoImage]
    annotations: list[CocoRegion]


_FILE = msgspec.json.Decoder(_File)


@dataclass(frozen=True)
class CocoRows:
    """The records of a file, one for each annotation, in its order.

    images: by id.
    regions: the annotations.
    messages: up to the answer, about `<region1>`.
    """

    images: Mapping[int | str, CocoImage]
    regions: Sequence[CocoRegion]
    messages: Sequence[Mapping[str, str]]

    def __len__(self) -> int:
        return len(self.regions)

    def __getitem__(self, number: int) -> Row:
        """Return a record as `schemas.shard` has it, as far as a question needs it."""
        region = self.regions[number]
        image = self.images[region.image_id]
        return {
            "id": self.id_of(number),
            "messages": self.messages,
            "regions": [{"bbox": _box(region), "mask": _mask(region, image)}],
            "image": {"bytes": None, "path": image.file_name},
            "width": image.width,
            "height": image.height,
        }

    def id_of(self, number: int) -> str:
        """Return the id of a record: the picture's and the annotation's."""
        region = self.regions[number]
        return f"{region.image_id}/{number if region.id is None else region.id}"


def read_coco(path: Path, messages: Sequence[Mapping[str, str]]) -> CocoRows:
    """Return the records of a file in COCO's format.

    Args:
        path: the file.
        messages: what is asked about each region.

    Raises:
        InputFileError: the file cannot be read, names a picture that it does not list, or has an
            id twice.
    """
    try:
        content = decode(_FILE, read_file(path))
    except msgspec.DecodeError as error:
        raise InputFileError(
            f"{path}: expected COCO's format, images and annotations: {error}"
        ) from None
    images = {image.id: image for image in content.images}
    if len(images) < len(content.images):
        ((twice, _),) = Counter(image.id for image in content.images).most_common(1)
        raise InputFileError(f"{path}: image {twice!r} is there twice")
    rows = CocoRows(images, content.annotations, messages)
    ids = set[str]()
    for number, region in enumerate(rows.regions):
        if region.image_id not in images:
            raise InputFileError(
                f"{path}: annotation {region.id!r} is of image {region.image_id!r}, which is not "
                "among its images"
            )
        if (name := rows.id_of(number)) in ids:
            raise InputFileError(f"{path}: annotation {region.id!r} is there twice")
        ids.add(name)
    if not ids:
        raise InputFileError(f"{path}: no annotations: nothing is asked about")
    return rows


def _box(region: CocoRegion) -> tuple[float, ...] | None:
    return None if region.bbox is None else xyxy(*region.bbox)


def _mask(region: CocoRegion, image: CocoImage) -> dict[str, Any] | None:
    """Return the run lengths of a region's mask; None: none, or one that cannot be read."""
    if image.width is None or image.height is None:
        return None
    try:
        mask = read_mask(bytes(region.segmentation), image.height, image.width).mask
    except Rejected:
        return None
    return None if mask is None else {"size": [mask.height, mask.width], "counts": mask.counts}
