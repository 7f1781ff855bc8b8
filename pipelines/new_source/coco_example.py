"""my_birds: boxes of objects in pictures, in COCO's layout, as Objects365 and others have it.

    my_birds/annotations.json
    my_birds/images/owl.png

    {"images": [{"id": 1, "file_name": "owl.png", "width": 96, "height": 64}],
     "annotations": [{"id": 11, "image_id": 1, "category_id": 1, "bbox": [12, 8, 40, 36],
                      "iscrowd": 0, "area": 1440}],       x, y, width, height; pixels
     "categories": [{"id": 1, "name": "owl"}]}

What to change: `_LICENCE`, `locate` (a `Located` for each split), and the fields of `SPEC`.
"""

from collections.abc import Iterator

from pipelines.datasets.coco.layout import parse_coco_layout
from pipelines.datasets.coco.outline import outline_coco_layout
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC0"  # of the boxes, as the cards of builds state it


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `train` (the annotations) and `images`."""
    paths, folder = request.paths, "my_birds/images"
    return [
        Located(
            split="train",
            files={"train": paths.get("train", f"{root}/my_birds/annotations.json")},
            pictures=paths.get("images", f"{root}/{folder}"),
            folder="" if "images" in paths else folder,
            licence=_LICENCE,
        )
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of a split.

    Raises:
        InputFileError: the annotations as a whole cannot be used.
    """
    yield from parse_coco_layout(split, store, lambda *_: split.label_set or "My Birds")


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of a split, by which a dry run tells quickly what there is."""
    return outline_coco_layout(split, store, lambda *_: split.label_set or "My Birds")


SPEC = DatasetSpec(
    name="my_birds",
    title="My Birds",
    licence=_LICENCE,
    obtain="https://example.org/my_birds",
    splits=("train",),
    tasks=dict.fromkeys(Style, (Task.REGION_CLASSIFICATION,)),
    boxes_per_image={},
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=unshared_picture,
    picture_owners=(),
    papers=("The owner of My Birds. 2024.",),
    task_definition=None,
)
