"""RefCOCO in its owners' files: refs in a pickle, boxes in a file in COCO's layout.

An image belongs to a split if a ref of that split is about the image. It has all of its boxes, also
boxes without a sentence, because a sentence is matched against all boxes. Boxes of other images
belong to another split, or to none. The first split reports the items of the file without an
image.
"""

from collections.abc import Collection, Iterator, Sequence

import msgspec

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.by_id import index_items
from pipelines.datasets.coco.categories import (
    COCO_LABEL_SET,
    COCO_NAMES,
    Categories,
    read_categories,
)
from pipelines.datasets.coco.layout import usable_images, without_image
from pipelines.datasets.coco.pictures import find_picture, list_pictures
from pipelines.datasets.coco.records import CocoFile
from pipelines.datasets.common.entries import Refused, limited, rejections
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.packed import Opening
from pipelines.datasets.common.picture_files import PictureFiles
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.refcoco.absent import AbsentExpressions
from pipelines.datasets.refcoco.box_names import read_box_names
from pipelines.datasets.refcoco.candidates import read_candidates
from pipelines.datasets.refcoco.described import Boxes, Described, Read
from pipelines.datasets.refcoco.refs import Refs
from pipelines.datasets.refcoco.sentences import Images, shards, unread
from schemas.rejection import Kind
from schemas.sample import ImageInfo, LabelSet
from schemas.source import (
    Count,
    Entry,
    SplitFacts,
    SplitInput,
    Store,
)


def open_pickle(split: SplitInput, store: Store, splits: Sequence[str]) -> Opening[Described]:
    """Yield the entries of one split of RefCOCO that are no image's, and return its images.

    Args:
        split: the split, with the paths of its files under the roles "refs" and "instances".
        store: the store to read the files from.
        splits: all splits of the data set.

    Raises:
        InputFileError: one of the files as a whole cannot be used.
    """
    refs = Refs(store.read(split.files["refs"]), split.files["refs"], split.split, splits)
    path = split.files["instances"]
    whole = coco_json.decode_raw_file(read_text(store, path), path)
    file, strays = _about(whole, refs.sentences.keys())
    if split.split != splits[0]:
        strays = ([], [])
    categories = read_categories(file.categories)
    # The last file is read before anything is counted: it may be one that cannot be used.
    candidates = read_candidates(split, store, list(refs.sentences))
    pictures = PictureFiles(split, list_pictures(split, store))
    yield from _totals(split, file, categories, strays)
    yield Count(Kind.SENTENCE, "read", refs.read)
    yield from rejections(split, Kind.SENTENCE, refs.refused)
    usable, refused = _images(split, pictures, file)
    yield from rejections(split, Kind.IMAGE, refused)
    names = read_box_names(file.annotations, categories)
    images = Images(
        usable=usable,
        chosen=limited(split, usable),
        refused=dict(refused).keys(),
        candidates=candidates,
        absent=AbsentExpressions(split, refs.sentences, names).of,
    )
    yield from unread(split, images, refs.sentences)
    return (yield from _opening(split, file, categories, refs, images))


def _about(
    file: CocoFile[Raw], wanted: Collection[ItemId]
) -> tuple[CocoFile[Raw], tuple[list[Refused], ...]]:
    """Return the file with only the wanted images and boxes; and images and boxes without ids."""
    images, stray_images = [], []
    for position, raw in enumerate(file.images):
        try:
            if decode_json(coco_json.IDENTIFIED, raw).id in wanted:
                images.append(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            stray_images.append((f"images[{position}]", malformed(error)))
    annotations, stray_annotations = [], []
    for position, raw in enumerate(file.annotations):
        try:
            if coco_json.link_of(raw).image_id in wanted:
                annotations.append(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            stray_annotations.append((f"annotations[{position}]", malformed(error)))
    kept = CocoFile(images, annotations, file.categories, file.licenses)
    return kept, (stray_images, stray_annotations)


def _totals(
    split: SplitInput,
    file: CocoFile[Raw],
    categories: Categories,
    strays: tuple[list[Refused], ...],
) -> Iterator[Entry]:
    yield Count(Kind.CATEGORY, "read", len(file.categories))
    yield Count(Kind.CATEGORY, "kept", len(categories.names))
    yield from rejections(split, Kind.CATEGORY, categories.refused)
    for kind, items, refused in zip(
        (Kind.IMAGE, Kind.ANNOTATION), (file.images, file.annotations), strays, strict=True
    ):
        yield Count(kind, "read", len(items) + len(refused))
        yield from rejections(split, kind, refused)


def _images(
    split: SplitInput, pictures: PictureFiles, file: CocoFile[Raw]
) -> tuple[dict[ItemId, ImageInfo], list[Refused]]:
    """Return the images whose picture exists, by number, and the faults of all other images."""
    declared, undeclared = index_items(file.images, coco_json.IMAGE, "images")
    for number, image in declared.items():
        image.file_name = find_picture(int(number), pictures.sizes)
    usable, unusable = usable_images(split, file.licenses, declared, pictures)
    return usable, undeclared + unusable


def _opening(
    split: SplitInput,
    file: CocoFile[Raw],
    categories: Categories,
    refs: Refs,
    images: Images,
) -> Opening[Described]:
    groups, refused = coco_json.group_annotations(file.annotations)
    yield from rejections(split, Kind.ANNOTATION, refused)
    others = {number: items for number, items in groups.items() if number not in images.chosen}
    yield from without_image(split, others, images.usable, images.refused)
    names = categories.distinct
    labels = LabelSet.of(COCO_LABEL_SET if set(names) == set(COCO_NAMES) else "RefCOCO", names)
    number_of_shards = shards(
        split, images, refs.sentences, regions=len(file.annotations), categories=len(names)
    )
    yield SplitFacts(split.source, split.split, number_of_shards, labels)

    def boxes_of(number: ItemId) -> Boxes:
        return Boxes(annotations=coco_json.joined(groups.get(number, [])))

    read = Read(
        split=split,
        images=images,
        sentences=refs.sentences,
        boxes_of=boxes_of,
        shards=number_of_shards,
        categories=categories,
        labels=labels.brief(),
        size=sum(len(memoryview(raw)) for raw in file.annotations),
    )
    return read.opened()
