"""From a file in COCO's layout to entries; for COCO itself and every owner who borrowed it.

The flow:
1. decode the file to undecoded items, index images and categories, group annotations by image;
2. check each image against the folder's listing; take as many as asked for, by hash;
3. per image, decode its annotations, resolve their categories, turn xywh into xyxy.
"""

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from pipelines.datasets import coco_json
from pipelines.datasets.coco_categories import Categories, read_categories
from pipelines.datasets.coco_json import CocoAnnotation, CocoFile, CocoImage, ItemId, Raw, Refused
from pipelines.datasets.paths import check_file_name
from schemas.geometry import Box, xyxy
from schemas.ids import rank
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo, LabelSet
from schemas.source import (
    Count,
    Entry,
    SourceImage,
    SourceRegion,
    SplitFacts,
    SplitInput,
    Store,
    Volume,
)

UNKNOWN_BOX: Box = (math.nan,) * 4
MAX_IMAGE_BYTES = 256 * 1024 * 1024
MAX_SIDE = 65_500  # pixels; the largest a JPEG can have


def parse_coco_layout(
    split: SplitInput,
    store: Store,
    name_labels: Callable[[SplitInput, Sequence[str]], str],
) -> Iterator[Entry]:
    """Yield the entries of one file in COCO's layout.

    Args:
        split: with the file under the role "annotations".
        store: to read it from.
        name_labels: returns what the set of category names is called.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    path = split.files["annotations"]
    file = coco_json.decode_file(store.read(path), path)
    categories = read_categories(file.categories)
    names = tuple(dict.fromkeys(categories.names.values()))
    labels = LabelSet(name_labels(split, names), names)
    sizes = store.sizes(split.pictures)
    if split.leads:
        yield from _totals(split, file, categories)
    yield from _images(split, file, categories, labels, sizes)


def _totals(split: SplitInput, file: CocoFile, categories: Categories) -> Iterator[Entry]:
    yield Count(Kind.CATEGORY, "read", len(file.categories))
    yield Count(Kind.CATEGORY, "kept", len(categories.names))
    yield from _rejections(split, Kind.CATEGORY, categories.refused)
    yield Count(Kind.IMAGE, "read", len(file.images))
    yield Count(Kind.ANNOTATION, "read", len(file.annotations))


def _images(
    split: SplitInput,
    file: CocoFile,
    categories: Categories,
    labels: LabelSet,
    sizes: Mapping[str, int],
) -> Iterator[Entry]:
    groups, refused = coco_json.group_annotations(file.annotations, split)
    yield from _rejections(split, Kind.ANNOTATION, refused)
    usable, refused = _usable_images(split, file, sizes)
    chosen = _limited(split, usable)
    shards = split.sizing.shards(_volume(file, categories, usable, chosen))
    if split.leads:
        yield SplitFacts(split.source, split.split, labels, shards)
        yield from _rejections(split, Kind.IMAGE, refused)
    brief = labels.brief()
    owned = [item_id for item_id in usable if split.owns(str(item_id))]
    yield Count(Kind.IMAGE, "sampled_out", sum(item_id not in chosen for item_id in owned))
    for item_id in owned:
        if item_id in chosen:
            image = replace(usable[item_id], shards=shards)
            regions = yield from _regions(split, groups.pop(item_id, []), categories)
            yield SourceImage(image, brief, regions)
    yield from _without_image(split, groups, usable, dict(refused))


def _usable_images(
    split: SplitInput, file: CocoFile, sizes: Mapping[str, int]
) -> tuple[dict[ItemId, ImageInfo], list[Refused]]:
    images, refused = coco_json.index_items(file.images, coco_json.IMAGE, "images")
    licences, _ = coco_json.index_items(file.licenses, coco_json.LICENCE, "licenses")
    usable: dict[ItemId, ImageInfo] = {}
    for item_id, image in images.items():
        terms = licences.get(image.license) if image.license is not None else None
        licence = f"{split.licence}; image: {terms.name}" if terms else split.licence
        try:
            usable[item_id] = _image_info(split, image, sizes, licence)
        except Rejected as cause:
            refused.append((str(item_id), cause))
    return usable, refused


def _volume(
    file: CocoFile,
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


def _without_image(
    split: SplitInput,
    groups: Mapping[ItemId, Sequence[Raw]],
    usable: Mapping[ItemId, ImageInfo],
    refused: Mapping[str, Rejected],
) -> Iterator[Entry]:
    for item_id, annotations in groups.items():
        if item_id in usable:
            yield Count(Kind.ANNOTATION, "sampled_out", len(annotations))
            continue
        cause = Rejected(Reason.UNKNOWN_IMAGE, f"image_id {item_id} is not among the images")
        if found := refused.get(str(item_id)):
            cause = Rejected(Reason.IMAGE_REJECTED, f"image {item_id}: {found.reason}")
        ids = [str(coco_json.LINK.decode(raw).id) for raw in annotations]
        yield from _rejections(split, Kind.ANNOTATION, [(ann_id, cause) for ann_id in ids])


def _regions(
    split: SplitInput, annotations: Sequence[Raw], categories: Categories
) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
    regions = []
    for raw in annotations:
        try:
            found = coco_json.ANNOTATION.decode(raw)
        except msgspec.DecodeError as error:
            item_id = str(coco_json.LINK.decode(raw).id)
            yield _rejection(split, Kind.ANNOTATION, item_id, coco_json.malformed(error))
            continue
        try:
            regions.append(_region(found, categories))
        except Rejected as cause:
            yield _rejection(split, Kind.ANNOTATION, str(found.id), cause)
    regions.sort(key=lambda region: (len(region.region_id), region.region_id))
    return tuple(regions)


def _region(found: CocoAnnotation, categories: Categories) -> SourceRegion:
    x, y, width, height = found.bbox
    if x is None or y is None or width is None or height is None:
        box = UNKNOWN_BOX
    else:
        box = xyxy(x, y, width, height)
    return SourceRegion(
        region_id=str(found.id),
        bbox=box,
        category=categories.name_of(found.category_id),
        crowd=bool(found.iscrowd),
        segmentation=bytes(found.segmentation),
    )


def _image_info(
    split: SplitInput, image: CocoImage, sizes: Mapping[str, int], licence: str
) -> ImageInfo:
    name = check_file_name(image.file_name)
    if not (0 < image.width <= MAX_SIDE and 0 < image.height <= MAX_SIDE):
        raise Rejected(
            Reason.IMAGE_BAD_SIZE,
            f"annotated as {image.width} x {image.height}, expected sides of 1 to {MAX_SIDE}",
        )
    size_bytes = sizes.get(name)
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
        image_id=str(image.id),
        file_name=name,
        folder=split.folder,
        width=image.width,
        height=image.height,
        size_bytes=size_bytes,
        licence=licence,
        shards=1,
    )


def _limited(split: SplitInput, usable: Mapping[ItemId, ImageInfo]) -> set[ItemId]:
    if split.limit is None or split.limit >= len(usable):
        return set(usable)
    at = (split.seed, "limit", split.source, split.split)
    ranked = sorted((rank(*at, str(item_id)), str(item_id), item_id) for item_id in usable)
    return {item_id for _, _, item_id in ranked[: split.limit]}


def _rejections(split: SplitInput, kind: Kind, refused: Iterable[Refused]) -> Iterator[Entry]:
    return (_rejection(split, kind, *refusal) for refusal in refused)


def _rejection(split: SplitInput, kind: Kind, item_id: str, cause: Rejected) -> Rejection:
    return Rejection(
        source=split.source,
        split=split.split,
        stage="read",
        kind=kind,
        id=item_id,
        reason=cause.reason,
        detail=cause.detail,
    )
