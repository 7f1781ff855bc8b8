"""The quick look at a file in COCO's layout, in one pass, which also makes the file's index.

Annotations are skipped but for a user's own, which takes less than half as long as decoding them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from pipelines.datasets.coco import records as coco_json
from pipelines.datasets.coco.categories import check_usable, read_categories
from pipelines.datasets.coco.glance import glance, glimpse
from pipelines.datasets.coco.lenient import read_item
from pipelines.datasets.coco.records import CocoImage
from pipelines.datasets.common.index import SKIPPED, FileIndex, Reader, collector, read_index
from pipelines.datasets.common.picture_files import PictureFiles
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.common.text_files import as_text
from pipelines.datasets.spec import Outline
from schemas.rejection import Rejected
from schemas.source import SplitInput, Store


def outline_coco_layout(
    split: SplitInput,
    store: Store,
    name_labels: Callable[[SplitInput, Sequence[str]], str],
    *,
    images: msgspec.json.Decoder[CocoImage] = coco_json.IMAGE,
    annotations: Reader[Any] = SKIPPED,
) -> Outline:
    """Return the outline of one file in COCO's layout; arguments as in `parse_coco_layout`.

    `annotations` reads an owner's annotations while the index is made.

    Raises:
        InputFileError: the file as a whole cannot be used, or its categories are not the expected.
    """
    glimpsed = glimpse(split, store) if split.own_file else None
    file = glimpsed or _skim(split, store, annotations)
    categories = read_categories(file.categories)
    check_usable(split.file, categories)
    name_labels(split, categories.distinct)
    pictures = _pictures(split, store, file.images, images) if glimpsed else None
    return Outline(
        items=file.images,
        names_of=partial(_names_of, images, pictures),
        remarks=glance(split, glimpsed, images) if glimpsed else (),
        indexes={split.file: file.indexed},
    )


class _SkimmedFile(NamedTuple):
    """A file of which the annotations are only skipped."""

    images: Sequence[Raw]
    categories: Sequence[Raw]
    indexed: FileIndex | None  # None: the file must be read as a whole


def _skim(split: SplitInput, store: Store, annotations: Reader[Any]) -> _SkimmedFile:
    images: list[Raw] = []
    categories: list[Raw] = []
    readers = {"images": collector(images), "categories": collector(categories)}
    index = read_index(split.file, store, {**readers, "annotations": annotations})
    if isinstance(index, bytes):
        outline = coco_json.decode_outline(as_text(index, split.file), split.file)
        return _SkimmedFile(outline.images, outline.categories, None)
    return _SkimmedFile(images, categories, index)


def _pictures(
    split: SplitInput,
    store: Store,
    items: Sequence[Raw],
    images: msgspec.json.Decoder[CocoImage],
) -> PictureFiles:
    names = [name for item in items if (name := _name_of(images, item))] if split.last_part else ()
    return PictureFiles(split, store.sizes(split.pictures), names)


def _names_of(
    images: msgspec.json.Decoder[CocoImage], pictures: PictureFiles | None, item: Raw
) -> Sequence[str]:
    name = _name_of(images, item)
    if name is None:
        return ()
    try:
        return (pictures.path_of(name) if pictures else name,)
    except Rejected:
        return (name,)


def _name_of(images: msgspec.json.Decoder[CocoImage], item: Raw) -> str | None:
    try:
        return read_item(item, images).file_name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
