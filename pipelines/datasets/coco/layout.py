"""The parser of files in COCO's layout, for COCO itself and other data sets in that layout.

The flow:
1. decode the file to undecoded items, index images and categories, group annotations by image;
2. check each image against the folder's listing; keep the number to read, chosen by hash;
3. per image, decode its annotations, resolve their categories, turn xywh into xyxy.
"""

import math
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.by_id import index_items, licence_names
from pipelines.datasets.coco.categories import Categories, check_usable, read_categories
from pipelines.datasets.coco.objects import id_of, named_objects
from pipelines.datasets.coco.records import CocoAnnotation, CocoImage, Undecoded
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejection,
    rejections,
)
from pipelines.datasets.common.picture_files import PictureFiles
from pipelines.datasets.common.raw_items import ItemId, Items, Raw, malformed
from pipelines.datasets.common.text_files import read_text
from schemas.classes import StatedClasses
from schemas.geometry import Box, xyxy
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, LabelSet
from schemas.source import (
    Count,
    Entry,
    Repaired,
    SourceImage,
    SourceRegion,
    SplitFacts,
    SplitInput,
    Store,
    Volume,
)

_UNKNOWN_BOX: Box = (math.nan,) * 4


# Returns an owner's statement about the classes of an image; None: it cannot be read.
ClassesOf = Callable[[CocoImage, Categories], StatedClasses | None]


# Returns annotations with ids, for those that may lack them, and the refused ones; a function of a
# module, for it goes to other workers.
Identify = Callable[[Sequence[Raw]], tuple[Sequence[Raw], Sequence[Refused]]]


def all_pictures(split: SplitInput, store: Store) -> Mapping[str, int]:
    """Return the sizes in bytes of the files in a split's folder of pictures, by path below it."""
    return store.sizes(split.pictures)


def _all_objects(_image: CocoImage, _categories: Categories) -> StatedClasses:
    return StatedClasses()


class Layout(NamedTuple):
    """What a data set in COCO's layout has of its own; see `parse_coco_layout`."""

    name_labels: Callable[[SplitInput, Sequence[str]], str]
    images: msgspec.json.Decoder[CocoImage] = coco_json.IMAGE
    list_pictures: Callable[[SplitInput, Store], Mapping[str, int]] = all_pictures
    classes_of: ClassesOf = _all_objects
    identify: Identify | None = None  # of a divided file only


class Head(NamedTuple):
    """A file in COCO's layout without its annotations, undecoded."""

    images: Items
    categories: Sequence[Raw]
    licenses: Raw
    annotations: int  # their number


class Opened(NamedTuple):
    """The images and categories by which annotations are read."""

    usable: Mapping[ItemId, ImageInfo]  # images whose picture exists, by id
    chosen: Set[ItemId]  # those that are not left out
    refused: Collection[str]  # the ids or positions of all other images
    classes: Mapping[ItemId, StatedClasses | None]  # the owner's statements, where they are asked
    categories: Categories
    labels: LabelSet  # brief
    shards: int  # of the split


def parse_coco_layout(
    split: SplitInput,
    store: Store,
    name_labels: Callable[[SplitInput, Sequence[str]], str],
    *,
    images: msgspec.json.Decoder[CocoImage] = coco_json.IMAGE,
    list_pictures: Callable[[SplitInput, Store], Mapping[str, int]] = all_pictures,
    classes_of: ClassesOf = _all_objects,
) -> Iterator[Entry]:
    """Yield the entries of one file in COCO's layout.

    Args:
        split: the split, with the path of the file under the split's name.
        store: the store to read the file from.
        name_labels: returns the name of a set of category names, e.g. `COCO-80`.
        images: decodes an item of `images`.
        list_pictures: returns the sizes in bytes of the pictures, by path below their folder.
        classes_of: returns what the owner states about the classes of an image; asked only where a
            task needs it and every annotation of the image can be read.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    path = split.file
    file = coco_json.decode_file(read_text(store, path), path)
    head = Head(file.images, file.categories, file.licenses, len(file.annotations))
    layout = Layout(name_labels, images, list_pictures, classes_of)
    opened = yield from open_layout(split, store, head, layout)
    groups, refused = coco_json.group_annotations(file.annotations)
    yield from rejections(split, Kind.ANNOTATION, refused)
    yield from annotated_images(split, groups, opened)


def open_layout(
    split: SplitInput, store: Store, head: Head, layout: Layout
) -> Generator[Entry, None, Opened]:
    """Yield the entries of a file that are no annotations' and no usable image's; return the rest.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    categories = read_categories(head.categories)
    check_usable(split.file, categories)
    names = categories.distinct
    labels = LabelSet.of(layout.name_labels(split, names), names)
    yield from _totals(split, head, categories)
    declared, undeclared = index_items(head.images, layout.images, "images")
    file_names = [image.file_name for image in declared.values()]
    pictures = PictureFiles(split, layout.list_pictures(split, store), file_names)
    usable, unusable = usable_images(split, head.licenses, declared, pictures)
    refused = undeclared + unusable
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume(head, categories, usable, chosen))
    yield SplitFacts(split.source, split.split, shards, labels)
    yield from rejections(split, Kind.IMAGE, refused)
    taken = [item_id for item_id in usable if item_id in chosen]
    yield Count(Kind.IMAGE, "sampled_out", len(usable) - len(taken))
    matched = sum(declared[item_id].file_name in pictures.matched for item_id in taken)
    yield Repaired(Kind.IMAGE, Repair.IMAGE_NAME_MATCHED, matched)
    asked = taken if split.asks_classes else ()
    classes = {item_id: layout.classes_of(declared[item_id], categories) for item_id in asked}
    ids = dict(refused).keys()
    return Opened(usable, chosen, {*ids}, classes, categories, labels.brief(), shards)


def _totals(split: SplitInput, head: Head, categories: Categories) -> Iterator[Entry]:
    yield Count(Kind.CATEGORY, "read", len(head.categories))
    yield Count(Kind.CATEGORY, "kept", len(categories.names))
    yield from rejections(split, Kind.CATEGORY, categories.refused)
    yield Count(Kind.IMAGE, "read", len(head.images))
    yield Count(Kind.ANNOTATION, "read", head.annotations)


def annotated_images(
    split: SplitInput, groups: dict[ItemId, list[Undecoded]], opened: Opened
) -> Iterator[Entry]:
    """Yield images with their annotations, and what becomes of other annotations.

    Args:
        split: the split.
        groups: annotations by image; those that are used are taken out.
        opened: the images and categories.
    """
    for item_id, listed in opened.usable.items():
        if item_id in opened.chosen:
            image = replace(listed, shards=opened.shards)
            annotations = groups.pop(item_id, [])
            regions = yield from read_regions(split, annotations, opened.categories)
            readable = len(regions) == len(annotations)
            classes = opened.classes.get(item_id) if readable else None
            yield SourceImage(image, regions, label_set=opened.labels, classes=classes)
    yield from without_image(split, groups, opened.usable, opened.refused)


def usable_images(
    split: SplitInput,
    licenses: Raw,
    images: Mapping[ItemId, CocoImage],
    pictures: PictureFiles,
) -> tuple[dict[ItemId, ImageInfo], list[Refused]]:
    """Return the images whose picture exists, by id, and the faults of all other images."""
    refused: list[Refused] = []
    licences = licence_names(licenses)
    usable: dict[ItemId, ImageInfo] = {}
    for item_id, image in images.items():
        terms = licences.get(image.license) if image.license is not None else None
        licence = f"{split.licence}; image: {terms}" if terms else split.licence
        try:
            usable[item_id] = _image_info(split, image, pictures, licence)
        except Rejected as cause:
            refused.append((str(item_id), cause))
    return usable, refused


def _volume(
    head: Head,
    categories: Categories,
    usable: Mapping[ItemId, ImageInfo],
    chosen: Collection[ItemId],
) -> Volume:
    return Volume(
        images=len(chosen),
        regions=head.annotations * len(chosen) // max(1, len(usable)),
        categories=len(categories.names),
        picture_bytes=sum(usable[item_id].size_bytes for item_id in chosen),
    )


def without_image(
    split: SplitInput,
    groups: Mapping[ItemId, Sequence[Undecoded]],
    usable: Collection[ItemId],
    refused: Collection[str],
) -> Iterator[Entry]:
    """Yield counts and rejections of annotations whose image is refused, left out or undeclared."""
    for item_id, annotations in groups.items():
        if item_id in usable:
            yield Count(Kind.ANNOTATION, "sampled_out", len(annotations))
        elif str(item_id) in refused:
            yield Count(Kind.ANNOTATION, "with_image", len(annotations))
        else:
            cause = Rejected(Reason.UNKNOWN_IMAGE, f"image_id {item_id} is not among the images")
            ids = [id_of(item) for item in annotations]
            yield from rejections(split, Kind.ANNOTATION, [(name, cause) for name in ids])


def read_regions(
    split: SplitInput, annotations: Sequence[Undecoded], categories: Categories
) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
    """Yield rejections of the annotations of one image, and return the image's regions."""
    regions = []
    for region_id, item in (yield from named_objects(split, annotations)):
        try:
            annotation, of_mask = coco_json.read_annotation(item)
            regions.append(_region(split, region_id, annotation, categories))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield rejection(split, Kind.ANNOTATION, region_id, malformed(error))
        except Rejected as cause:
            yield rejection(split, Kind.ANNOTATION, region_id, cause)
        else:
            if of_mask:
                yield Repaired(Kind.ANNOTATION, Repair.BOX_FROM_MASK)
    regions.sort(key=lambda region: (len(region.region_id), region.region_id))
    return tuple(regions)


def _region(
    split: SplitInput, region_id: str, annotation: CocoAnnotation, categories: Categories
) -> SourceRegion:
    x, y, width, height = annotation.bbox
    box = _UNKNOWN_BOX
    if x is not None and y is not None and width is not None and height is not None:
        box = xyxy(x, y, width, height)
    return SourceRegion(
        region_id,
        box,
        categories.name_of(annotation.category_id),
        bool(annotation.iscrowd) and split.crowds != "objects",
        None,
        bytes(annotation.segmentation),
        annotation.area,
    )


def _image_info(
    split: SplitInput, image: CocoImage, pictures: PictureFiles, licence: str
) -> ImageInfo:
    width, height = image.width or 0, image.height or 0
    size = (width, height) if width > 0 and height > 0 else None  # the picture has it
    name = pictures.path_of(image.file_name)
    return image_info(split, str(image.id), name, size, pictures.sizes, licence)
