"""V3Det 2023 v1: 13,204 categories, in a variant of COCO's layout.

    {"images": [{"id": 1, "file_name": "images/n11735977/33_287_14396504429_d787b4291b_c.jpg",
                 "width": 1024, "height": 683}],
     "annotations": [{"image_id": 1, "category_id": 21, "iscrowd": 0, "area": 88.5,
                      "bbox": [102.5, 118.4, 7.9, 17.3]}],      x, y, width, height; pixels
     "categories": [{"id": 21, "name": "drum", "cat_info": ..., "novel": false, ...}]}

An annotation may lack an id; an id is then made from its image, category and box, which
is independent of the order in the file and reveals exact repeats. Early files hold a list as
`category_id`: a list of one id is accepted. File names include the folder. Many pictures are no
longer available, so annotations without a picture are common.

36 names belong to two or more categories: a region's answer is the name, and the region
counts under the name where regions are sampled per category. The names come from
the annotation file; `category_name_13204_v3det_2023_v1.txt` has 40 other names and is not read.
Format: https://github.com/V3Det/V3Det
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from pipelines.datasets.coco.categories import Categories, read_categories
from pipelines.datasets.coco.converted import ReplacedFile
from pipelines.datasets.coco.division import divide_coco_layout
from pipelines.datasets.coco.layout import Layout, parse_coco_layout
from pipelines.datasets.coco.outline import outline_coco_layout
from pipelines.datasets.common.bins import Division
from pipelines.datasets.common.entries import rejections
from pipelines.datasets.common.index import Indexes, StoredItems
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.picture_names import flickr_name
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from pipelines.datasets.v3det.annotations import DistinctAnnotations, identified
from schemas.rejection import Kind
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC BY 4.0"
_PAPERS = (
    "Jiaqi Wang, Pan Zhang, Tao Chu, Yuhang Cao, Yujie Zhou, Tong Wu, Bin Wang, Conghui He, Dahua "
    "Lin. V3Det: Vast Vocabulary Visual Detection Dataset. ICCV 2023.",
)

# Two numbers of V3Det, then Flickr's photo id, its secret, and the letter of a size:
# 33_287_14396504429_d787b4291b_c.jpg
_PHOTO_FILE = re.compile(r"\d+_\d+_(\d+)_[0-9a-f]+(?:_[a-z])?\.\w+", re.ASCII)


class _File(msgspec.Struct):
    """A whole file; only the list of annotations is cut into items."""

    annotations: list[Raw]
    categories: list[Raw]
    images: Raw
    licenses: Raw = Raw(b"[]")


_FILE = msgspec.json.Decoder(_File)


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `train`, `val` (annotation files) and `images`."""
    paths, below = request.paths, f"{root}/v3det"
    return [
        Located(
            split=split,
            files={split: paths.get(split, f"{below}/annotations/v3det_2023_v1_{split}.json")},
            pictures=paths.get("images", below),
            folder="" if "images" in paths else "v3det",
            licence=_LICENCE,
        )
        for split in SPEC.splits
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of V3Det."""
    path = split.file
    content = read_text(store, path)
    name = split.label_set or "V3Det"
    try:
        file = decode_json(_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # `parse_coco_layout` raises an error that names the fault
    else:
        name = split.label_set or _label_set(read_categories(file.categories))
        annotations, refused = identified(file.annotations)
        yield Count(Kind.ANNOTATION, "read", len(refused))
        yield from rejections(split, Kind.ANNOTATION, refused)
        if annotations != file.annotations:
            file.annotations = annotations
            content = msgspec.json.encode(file)
        del file, annotations
    yield from parse_coco_layout(split, ReplacedFile(store, path, content), lambda *_: name)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of V3Det, whose categories may have any names."""
    distinct = DistinctAnnotations()
    of_file = outline_coco_layout(split, store, lambda *_: "", annotations=distinct.reader)
    return replace(of_file, indexes=distinct.counted(of_file.indexes))


def divide(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division | None:
    """Return the division of one split of V3Det."""
    if split.file not in indexes:
        indexes = outline(split, store).indexes
    index = indexes[split.file]
    if index is None:
        return None
    categories = read_categories(list(StoredItems(split.file, store, index.lists["categories"])))
    name = split.label_set or _label_set(categories)
    layout = Layout(lambda *_: name, identify=identified)
    return divide_coco_layout(split, store, parts, layout, indexes)


def _label_set(categories: Categories) -> str:
    return f"V3Det-{len(categories.names)}"


def _picture_name(image: ImageInfo) -> str | None:
    """Return the name of the Flickr photo in an image's file name, or None without such a photo."""
    match = _PHOTO_FILE.fullmatch((image.file_name or "").rpartition("/")[2])
    return flickr_name(match[1]) if match else None


SPEC = DatasetSpec(
    name="v3det",
    title="V3Det",
    licence=_LICENCE,
    obtain="https://github.com/V3Det/V3Det: the annotations, and its script for the images",
    splits=("train", "val"),
    tasks=dict.fromkeys(Style, (Task.REGION_CLASSIFICATION,)),
    evaluations=(Task.REGION_CLASSIFICATION,),
    questions=(Task.MULTI_REGION_ANSWER,),  # its categories may be incomplete
    boxes_per_image={},
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=_picture_name,
    picture_owners=("flickr",),
    papers=_PAPERS,
    task_definition=None,
)
