"""Birds, a data set for tests only: boxes of birds in COCO's pictures, in COCO's layout.

{"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 48, "height": 32}],
 "annotations": [{"id": 91, "image_id": 9, "category_id": 1, "bbox": [4, 6, 20, 10]}],
 "categories": [{"id": 1, "name": "owl"}]}                  x, y, width, height; pixels
"""

from collections.abc import Iterator

from pipelines.datasets.coco.layout import parse_coco_layout
from pipelines.datasets.coco.pictures import COCO_PAPER
from pipelines.datasets.common.picture_names import coco_picture
from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return where the one split lies; roles are `train` and `images`."""
    paths = request.paths
    return [
        Located(
            split="train",
            files={"train": paths.get("train", f"{root}/birds/birds_train.json")},
            pictures=paths.get("images", f"{root}/coco/train2017"),
            folder="" if "images" in paths else "coco/train2017",
            licence="CC0",
        )
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of the one split."""
    return parse_coco_layout(split, store, lambda split, names: "Birds-2")


SPEC = DatasetSpec(
    name="birds",
    title="Birds",
    licence="CC0",
    obtain="https://example.org/birds",
    splits=("train",),
    tasks=dict.fromkeys(Style, (Task.REGION_CLASSIFICATION,)),
    boxes_per_image={},
    locate=locate,
    parse=parse,
    picture_name=coco_picture,
    papers=("Ada Finch. Birds in Pictures. 2024.", COCO_PAPER),
    task_definition=None,
)
