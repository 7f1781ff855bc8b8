"""The parser of files in COCO's layout, for COCO itself and other data sets in that layout.

The flow:
1. decode the file to undecoded items, index images and categories, group annotations by image;
2. check each image against the folder's listing; keep the number to read, chosen by hash;
3. per image, decode its annotations, resolve their categories, turn xywh into xyxy.
"""

import math
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.categories import Categories, check_usable, read_categories
from pipelines.datasets.coco.objects import id_of, named_objects
from pipelines.datasets.coco.records import (
    CocoAnnotation,
    CocoFile,
    CocoImage,
    Undecoded,
)
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    image_rejections,
    limited,
    rejection,
    rejections,
)
from pipelines.datasets.common.picture_files import PictureFiles
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
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


def _all_pictures(split: SplitInput, store: Store) -> Mapping[str, int]:
    return store.sizes(split.pictures)


def _all_objects(_image: CocoImage, _categories: Categories) -> StatedClasses:
    return StatedClasses()


class _Names(NamedTuple):
    """The categories of a file, the name of their set, and what its owner states of them."""

    categories: Categories
    labels: LabelSet
    classes_of: ClassesOf


def parse_coco_layout(
    split: SplitInput,
    store: Store,
    name_labels: Callable[[SplitInput, Sequence[str]], str],
    *,
    images: msgspec.json.Decoder[CocoImage] = coco_json.IMAGE,
    list_pictures: Callable[[SplitInput, Store], Mapping[str, int]] = _all_pictures,
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
    categories = read_categories(file.categories)
    check_usable(path, categories)
    names = categories.distinct
    named = _Names(categories, LabelSet.of(name_labels(split, names), names), classes_of)
    if split.leads:
        yield from _totals(split, file, categories)
    declared = coco_json.index_items(file.images, images, "images")
    file_names = [image.file_name for image in declared[0].values()]
    pictures = PictureFiles(split, list_pictures(split, store), file_names)
    yield from _images(split, file, declared, named, pictures)


def _totals(
    split: SplitInput, file: CocoFile[CocoAnnotation] | CocoFile[Raw], categories: Categories
) -> Iterator[Entry]:
    yield Count(Kind.CATEGORY, "read", len(file.categories))
    yield Count(Kind.CATEGORY, "kept", len(categories.names))
    yield from rejections(split, Kind.CATEGORY, categories.refused)
    yield Count(Kind.IMAGE, "read", len(file.images))
    yield Count(Kind.ANNOTATION, "read", len(file.annotations))


def _images(
    split: SplitInput,
    file: CocoFile[CocoAnnotation] | CocoFile[Raw],
    declared: tuple[Mapping[ItemId, CocoImage], list[Refused]],
    named: _Names,
    pictures: PictureFiles,
) -> Iterator[Entry]:
    groups, refused = coco_json.group_annotations(file, split)
    yield from rejections(split, Kind.ANNOTATION, refused)
    (images, undeclared), categories = declared, named.categories
    usable, unusable = usable_images(split, file, images, pictures)
    refused = undeclared + unusable
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume(file, categories, usable, chosen))
    if split.leads:
        yield SplitFacts(split.source, split.split, shards, named.labels)
    yield from image_rejections(split, refused)
    brief = named.labels.brief()
    owned = [item_id for item_id in usable if split.owns(str(item_id))]
    yield Count(Kind.IMAGE, "sampled_out", sum(item_id not in chosen for item_id in owned))
    taken = [images[item_id].file_name for item_id in owned if item_id in chosen]
    matched = sum(name in pictures.matched for name in taken)
    yield Repaired(Kind.IMAGE, Repair.IMAGE_NAME_MATCHED, matched)
    for item_id in owned:
        if item_id in chosen:
            image = replace(usable[item_id], shards=shards)
            annotations = groups.pop(item_id, [])
            regions = yield from read_regions(split, annotations, categories)
            readable = split.asks_classes and len(regions) == len(annotations)
            classes = named.classes_of(images[item_id], categories) if readable else None
            yield SourceImage(image, regions, label_set=brief, classes=classes)
    yield from without_image(split, groups, usable, dict(refused).keys())


def usable_images(
    split: SplitInput,
    file: CocoFile[CocoAnnotation] | CocoFile[Raw],
    images: Mapping[ItemId, CocoImage],
    pictures: PictureFiles,
) -> tuple[dict[ItemId, ImageInfo], list[Refused]]:
    """Return the images whose picture exists, by id, and the faults of all other images."""
    refused: list[Refused] = []
    licences = coco_json.licence_names(file.licenses)
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
    file: CocoFile[CocoAnnotation] | CocoFile[Raw],
    categories: Categories,
    usable: Mapping[ItemId, ImageInfo],
    chosen: Collection[ItemId],
) -> Volume:
    return Volume(
        images=len(chosen),
        regions=len(file.annotations) * len(chosen) // max(1, len(usable)),
        categories=len(categories.names),
        picture_bytes=sum(usable[item_id].size_bytes for item_id in chosen),
    )


def without_image(
    split: SplitInput,
    groups: Mapping[ItemId, Sequence[Undecoded]],
    usable: Mapping[ItemId, ImageInfo],
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
