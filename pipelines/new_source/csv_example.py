"""my_birds: boxes of objects in pictures, from a table.

    my_birds/boxes.csv           a row for each box; corners in pixels
    my_birds/images/owl.png

    image,label,x0,y0,x1,y1
    owl.png,owl,12,8,52,44

What to change: `_LICENCE`, `locate` where the files lie otherwise, `_as_coco`, which reads a table,
and the fields of `SPEC`. Images without a row are left out.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

from pipelines.datasets.coco.converted import parse_converted
from pipelines.datasets.common.content_ids import content_id
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest
from schemas.errors import InputFileError
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC0"  # of the boxes, as the cards of builds state it
_COLUMNS = ("image", "label", "x0", "y0", "x1", "y1")


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `train` (the table) and `images`."""
    paths, folder = request.paths, "my_birds/images"
    return [
        Located(
            split="train",
            files={"train": paths.get("train", f"{root}/my_birds/boxes.csv")},
            pictures=paths.get("images", f"{root}/{folder}"),
            folder="" if "images" in paths else folder,
            licence=_LICENCE,
        )
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of a split.

    Raises:
        InputFileError: the table as a whole cannot be used.
    """
    file = _as_coco(read_text(store, split.file), split.file)
    yield from parse_converted(split, store, file, "My Birds")


def _as_coco(content: bytes, path: str) -> dict[str, list[dict[str, Any]]]:
    """Return a table in COCO's layout; what cannot be a box is left to COCO's checks."""
    table = csv.DictReader(io.StringIO(content.decode()))
    if missing := [name for name in _COLUMNS if name not in (table.fieldnames or ())]:
        raise InputFileError(f"{path}: no column {', '.join(missing)} in the first line")
    rows = [{name: row[name] or "" for name in _COLUMNS} for row in table]
    labels = sorted({row["label"] for row in rows})
    return {
        "images": [
            {"id": name, "file_name": name} for name in sorted({row["image"] for row in rows})
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(labels, 1)],
        "annotations": [
            {
                "id": content_id(row["image"], *(row[name].encode() for name in _COLUMNS)),
                "image_id": row["image"],
                "category_id": labels.index(row["label"]) + 1,
                "bbox": _box(row),
            }
            for row in rows
        ],
    }


def _box(row: dict[str, str]) -> list[float] | list[str]:
    """Return x, y, width and height of a row in pixels; its words where they are no numbers."""
    words = [row[name] for name in ("x0", "y0", "x1", "y1")]
    try:
        x0, y0, x1, y1 = map(float, words)
    except ValueError:
        return words
    return [x0, y0, x1 - x0, y1 - y0]


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
    picture_name=unshared_picture,
    picture_owners=(),
    papers=("The owner of My Birds. 2024.",),
    task_definition=None,
)
