"""The boxes in LLaVA's pictures: a detector's boxes, or COCO's annotations of COCO's pictures.

Only boxes in pictures of the records count as read. Boxes are matched with pictures by COCO's
number, the last digits of a picture's name: coco/train2017/000000033471.jpg is 33471.
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from dataclasses import replace as with_fields
from functools import partial

import msgspec

from pipelines.datasets.coco.categories import Categories, read_categories
from pipelines.datasets.coco.detections import (
    MAX_BOXES,
    Names,
    best_detections,
    distinct_detections,
    image_number,
    read_detections,
)
from pipelines.datasets.coco.layout import read_regions
from pipelines.datasets.coco.records import IMAGE, link_of
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.grouping import ItemsByImage, group_by_image
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.llava.records import Group
from schemas.errors import InputFileError
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceRegion, SplitInput, Store

_Size = tuple[int, int]  # width, height; pixels

_COCO_NAME = re.compile(r"coco/.*?(\d{1,18})\.\w+")


class _Instances(msgspec.Struct):
    images: list[Raw]
    annotations: list[Raw]
    categories: list[Raw]


_INSTANCES = msgspec.json.Decoder(_Instances)

RegionEntries = Generator[Entry, None, tuple[SourceRegion, ...]]
# Yields rejections and counts of an image's undecoded boxes, of which there are some; returns the
# image's regions.
Find = Callable[[SplitInput, ImageInfo, Sequence[Raw]], RegionEntries]


def no_regions(split: SplitInput, image: ImageInfo, raws: Sequence[Raw]) -> RegionEntries:
    """Return no regions, for an image whose boxes are not known."""
    del split, image, raws
    yield from ()
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """The known boxes and sizes of a file's pictures; empty by default."""

    sizes: Mapping[int, _Size] = field(default_factory=dict)
    grouped: ItemsByImage = field(default_factory=ItemsByImage)
    max_regions: int | None = None  # regions of one image; None: one for each item
    find: Find = no_regions

    def size(self, image_id: str) -> _Size | None:
        """Return the size of an image, None where no file states it."""
        return self.sizes.get(_number(image_id))

    def count(self, image_id: str) -> int:
        """Return the largest number of regions that an image may have."""
        items = len(self.of(image_id))
        return items if self.max_regions is None else min(items, self.max_regions)

    def of(self, image_id: str) -> Sequence[Raw]:
        """Return the undecoded boxes of an image."""
        return self.grouped.raws.get(_number(image_id), ())


def read_boxes(split: SplitInput, store: Store, groups: Mapping[str, Group]) -> Boxes:
    """Return the boxes of a file's pictures, and the sizes of the pictures in COCO's file.

    Args:
        split: the split; detections have the role "detections", COCO's own file "instances".
        store: the store to read the files from.
        groups: the file's records by image id.

    Raises:
        InputFileError: a file cannot be used, or no detection is about any of the pictures.
    """
    wanted = _wanted(groups)
    instances = _read_instances(split, store)
    boxes = Boxes(sizes=_sizes(instances.images, wanted))
    if "detections" in split.files:
        items, names = read_detections(split, store)
        grouped = group_by_image(items, wanted, "detections", image_number)
        if items and not grouped.raws:
            raise InputFileError(
                f"{split.files['detections']}: no image_id is the COCO number of a picture that "
                f"the records of {split.file} are about. Expected 397133 for 000000397133.jpg: "
                "give the detections of these pictures, under these numbers."
            )
        detected = partial(_detected, names)
        return with_fields(boxes, grouped=grouped, max_regions=MAX_BOXES, find=detected)
    annotations = instances.annotations
    grouped = group_by_image(annotations, wanted, "instances", lambda raw: link_of(raw).image_id)
    annotated = partial(_annotated, read_categories(instances.categories))
    return with_fields(boxes, grouped=grouped, find=annotated)


def _number(image_id: str) -> int:
    """Return COCO's number of a picture, or -1 if the picture is not COCO's."""
    match = _COCO_NAME.fullmatch(image_id)
    return int(match[1]) if match else -1


def _wanted(groups: Mapping[str, Group]) -> set[int]:
    """Return the COCO number of each picture."""
    pictures = (image_id for image_id, group in groups.items() if not group.text_only)
    return {number for image_id in pictures if (number := _number(image_id)) >= 0}


def _read_instances(split: SplitInput, store: Store) -> _Instances:
    path = split.files.get("instances")
    if path is None:
        return _Instances([], [], [])
    try:
        return decode_json(_INSTANCES, read_text(store, path))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} is not a whole COCO annotation file: {error}. Expected a JSON object with the "
            "lists images, annotations and categories. Fetch it again, or name another one with "
            f"--path {split.source}.instances=FILE."
        ) from None


def _sizes(images: Sequence[Raw], wanted: Set[int]) -> dict[int, _Size]:
    sizes: dict[int, _Size] = {}
    for raw in images:
        try:
            image = decode_json(IMAGE, raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # the size is then taken from the picture
        if isinstance(image.id, int) and image.id in wanted and image.width and image.height:
            size = image.width, image.height
            sizes[image.id] = min(size, sizes.get(image.id, size))  # whatever the order
    return sizes


def _detected(
    names: Names, split: SplitInput, image: ImageInfo, raws: Sequence[Raw]
) -> RegionEntries:
    assert image.width is not None, "an image with boxes is framed"
    assert image.height is not None, "an image with boxes is framed"
    regions = yield from distinct_detections(split, image.image_id, raws, names)
    taken = best_detections(regions, image.width, image.height)
    yield Count(Kind.ANNOTATION, "sampled_out", len(regions) - len(taken))
    return tuple(taken)


def _annotated(
    categories: Categories, split: SplitInput, image: ImageInfo, raws: Sequence[Raw]
) -> RegionEntries:
    del image  # all of COCO's boxes are taken, whatever the size
    regions = yield from read_regions(split, raws, categories)
    by_id: dict[str, SourceRegion] = {}
    for region in sorted(regions, key=repr):
        if region.region_id in by_id:
            cause = Rejected(Reason.DUPLICATE_ID, "stands more than once in annotations")
            yield rejection(split, Kind.ANNOTATION, region.region_id, cause)
        else:
            by_id[region.region_id] = region
    return tuple(sorted(by_id.values(), key=lambda item: (len(item.region_id), item.region_id)))
