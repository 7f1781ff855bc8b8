"""COCO detection, 2014 and 2017, in its owners' files, or any other file in the same layout.

    {"id": 22328, "image_id": 37777, "category_id": 64, "iscrowd": 0, "area": 88.52,
     "bbox": [102.49, 118.47, 7.9, 17.31],          x, y, width, height; pixels, 0-based
     "segmentation": [[110.39, 135.78, 110.39, 127.62, ...]]}

Crowd annotations hold uncompressed run lengths instead of polygons. The 80 category ids lie
between 1 and 90 with gaps. Every object of the 80 is annotated, alone or in a crowd.
Format: https://cocodataset.org/#format-data
"""

import os
from collections.abc import Iterator, Sequence

from pipelines.datasets.coco.categories import (
    COCO_LABEL_SET,
    COCO_NAMES,
    name_them,
    own_labels,
)
from pipelines.datasets.coco.division import divide_coco_layout
from pipelines.datasets.coco.exports import own_splits
from pipelines.datasets.coco.layout import Layout, parse_coco_layout
from pipelines.datasets.coco.outline import outline_coco_layout
from pipelines.datasets.coco.pictures import COCO_PAPER
from pipelines.datasets.common.bins import Division
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.common.picture_names import OBJECTS365, coco_or_objects365_picture
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.errors import InputFileError
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC BY 4.0"
_PAPERS = (COCO_PAPER,)


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of COCO's splits or the user's; roles: `train`, `val`, `images`.

    A folder that the user gives as `images` holds the pictures of all splits that are read, or
    folders of them that are named like their owner's: `images/train2017`.
    """
    if request.annotations is not None:
        return [
            Located(
                split=split,
                files={split: own.annotations},
                pictures=own.pictures,
                folder="",
                licence="not stated",
            )
            for split, own in own_splits(request).items()
        ]
    return [_located(root, request, split) for split in SPEC.splits]


def _located(root: str, request: SourceRequest, split: str) -> Located:
    paths, release = request.paths, f"{split}{request.year or SPEC.years[-1]}"
    images = paths.get("images")
    if images is None:
        above = "coco" if not os.path.isdir(f"{root}/coco/images/{release}") else "coco/images"
        pictures, folder = f"{root}/{above}/{release}", f"{above}/{release}"
    else:
        folder = release if os.path.isdir(f"{images}/{release}") else ""
        pictures = f"{images}/{folder}" if folder else images
    return Located(
        split=split,
        files={split: paths.get(split, f"{root}/coco/annotations/instances_{release}.json")},
        pictures=pictures,
        folder=folder,
        licence=_LICENCE,
    )


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of COCO, or of the user's file."""
    return parse_coco_layout(split, store, _name_labels)


def divide(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division | None:
    """Return the division of one split of COCO, or of the user's file."""
    return divide_coco_layout(split, store, parts, Layout(_name_labels), indexes)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of COCO, or of the user's file."""
    return outline_coco_layout(split, store, _name_labels)


def _name_labels(split: SplitInput, names: Sequence[str]) -> str:
    if split.label_set is not None:
        return split.label_set
    if set(names) == set(COCO_NAMES):
        return COCO_LABEL_SET
    if split.own_file:
        return own_labels(len(names))
    path, known = split.file, len(set(names) & set(COCO_NAMES))
    raise InputFileError(
        f"{path}: the categories are not COCO's 80 ({len(names)} names, of which {known} are "
        f"COCO's). {name_them('coco', len(names))}"
    )


SPEC = DatasetSpec(
    name="coco",
    title="COCO detection",
    licence=_LICENCE,
    obtain="https://cocodataset.org/#download: the images and the trainval annotations of a year",
    years=(2014, 2017),
    splits=("train", "val"),
    tasks=dict.fromkeys(Style, (Task.REGION_CLASSIFICATION,)),
    boxes_per_image={Style.GPT4ROI: 100},
    evaluations=(Task.REGION_CLASSIFICATION,),
    questions=(Task.REGION_YES_NO, Task.REGION_COUNT, Task.MULTI_REGION_ANSWER),
    own_file=True,
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=coco_or_objects365_picture,  # a user's own file may be of either's pictures
    picture_owners=("coco", OBJECTS365),
    papers=_PAPERS,
    task_definition=None,
)
