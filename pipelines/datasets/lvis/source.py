"""LVIS, version 1 and version 0.5: COCO's 2017 pictures with more than a thousand categories.

    {"images": [{"id": 196141, "coco_url": "http://.../val2017/000000196141.jpg", "height": 429,
                 "width": 640, "license": 1, "neg_category_ids": [612, 442],
                 "not_exhaustive_category_ids": [89], ...}],
     "annotations": [{"id": 1, "image_id": 196141, "category_id": 852, "area": 959.73,
                      "bbox": [12.08, 245.03, 32.49, 37.45],     x, y, width, height; pixels
                      "segmentation": [[12.67, 249.44, ...]]}],
     "categories": [{"id": 1, "name": "aerosol_can", "frequency": "c", "synset": ..., ...}]}

The layout is COCO's, but version 1 has no `file_name`: the last two parts of `coco_url` are the
folder of COCO 2017 and the name of a picture. val also has pictures of train2017. Version
0.5 has a `file_name`, of COCO 2014 (COCO_val2014_000000196141.jpg), and the same `coco_url`; the
url is used there as well, because both versions annotate the pictures of 2017.

LVIS is federated: a category without a box in an image is absent only if `neg_category_ids` names
it, and where `not_exhaustive_category_ids` names it, not all of its objects are boxed. Both lists
are read for the tasks that ask about the classes of an image, and for no other.
Format: https://www.lvisdataset.org/dataset
"""

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from pipelines.datasets.coco.categories import Categories, name_them
from pipelines.datasets.coco.division import divide_coco_layout
from pipelines.datasets.coco.layout import Layout, parse_coco_layout
from pipelines.datasets.coco.outline import outline_coco_layout
from pipelines.datasets.coco.pictures import COCO_PAPER, list_pictures
from pipelines.datasets.coco.records import CocoImage
from pipelines.datasets.common.bins import Division
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.common.picture_names import coco_picture
from pipelines.datasets.common.raw_items import ItemId, as_number
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.classes import StatedClasses
from schemas.errors import InputFileError
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC BY 4.0"
_PAPERS = (
    "Agrim Gupta, Piotr Dollár, Ross Girshick. LVIS: A Dataset for Large Vocabulary Instance "
    "Segmentation. CVPR 2019.",
    COCO_PAPER,
)
_FOLDERS = ("train2017", "val2017")
_LABEL_SETS = {  # by the digest of the sorted names, one per line
    "a73893467222160c47ae1757cfc0e5ac": "LVIS-1203",  # version 1
    "b5b5d1db7a4663bc4c082d947b3a23d4": "LVIS-1230",  # version 0.5
}


class _LvisImage(CocoImage, kw_only=True):
    """An item of `images`; `file_name` is the folder and name of the picture in COCO 2017."""

    file_name: str = ""
    coco_url: str
    neg_category_ids: Any = None  # unchecked: few tasks need these
    not_exhaustive_category_ids: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.file_name = "/".join(self.coco_url.split("/")[-2:])


_IMAGE: msgspec.json.Decoder[CocoImage] = msgspec.json.Decoder(_LvisImage)


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `train`, `val` (annotation files) and `images`."""
    paths = request.paths
    return [
        Located(
            split=split,
            files={split: paths.get(split, f"{root}/lvis/lvis_v1_{split}.json")},
            pictures=paths.get("images", f"{root}/coco"),
            folder="" if "images" in paths else "coco",
            licence=_LICENCE,
            picture_folders=_FOLDERS,
        )
        for split in SPEC.splits
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of LVIS."""
    layout = _layout()
    return parse_coco_layout(
        split,
        store,
        layout.name_labels,
        images=layout.images,
        list_pictures=layout.list_pictures,
        classes_of=layout.classes_of,
    )


def divide(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division | None:
    """Return the division of one split of LVIS."""
    return divide_coco_layout(split, store, parts, _layout(), indexes)


def _layout() -> Layout:
    pictures = partial(list_pictures, folders=_FOLDERS)
    return Layout(_name_labels, _IMAGE, pictures, _stated_classes)


def _stated_classes(image: CocoImage, categories: Categories) -> StatedClasses | None:
    """Return the classes that an image's lists name; None where a list is missing or malformed."""
    assert isinstance(image, _LvisImage)
    names = []
    for listed in (image.not_exhaustive_category_ids, image.neg_category_ids):
        try:
            numbers = [as_number(number) for number in msgspec.convert(listed, list[ItemId])]
        except msgspec.ValidationError:
            return None
        names.append(tuple([categories.names[n] for n in numbers if n in categories.names]))
    return StatedClasses(*names)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of LVIS."""
    return outline_coco_layout(split, store, _name_labels, images=_IMAGE)


def _name_labels(split: SplitInput, names: Sequence[str]) -> str:
    if split.label_set is not None:
        return split.label_set
    digest = blake2b("\n".join(sorted(names)).encode(), digest_size=16).hexdigest()
    if known := _LABEL_SETS.get(digest):
        return known
    raise InputFileError(
        f"{split.file}: the {len(names)} category names are neither LVIS v1's 1,203 nor v0.5's "
        f"1,230. {name_them('lvis', len(names))}"
    )


SPEC = DatasetSpec(
    name="lvis",
    title="LVIS v1",
    licence=_LICENCE,
    obtain="https://www.lvisdataset.org/dataset; and COCO's train2017 and val2017 pictures",
    splits=("train", "val"),
    tasks=dict.fromkeys(Style, (Task.REGION_CLASSIFICATION,)),
    boxes_per_image={Style.GPT4ROI: 100},  # as for COCO: the paper has no other rule
    evaluations=(Task.REGION_CLASSIFICATION,),
    questions=(Task.REGION_YES_NO, Task.REGION_COUNT, Task.MULTI_REGION_ANSWER),
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=coco_picture,
    picture_owners=("coco",),
    papers=_PAPERS,
    task_definition=None,
)
