"""RefCOCOg's two files and a detector's, and an evaluation of them.

Pictures 7 and 9 are in val, 8 in train. Each has a cup and a bowl that a sentence is about, and a
spoon that nothing is said of.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

TASK = "referring_expression_comprehension"
THINGS = ("cup", "bowl", "spoon")
CUP = [2, 2, 16, 10]
NAMES = "cup\nbowl\nspoon\nfork\n"


class Owner:
    """A data root with RefCOCOg's two files and a detector's, written by `save`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refs: list[Any] = []
        self.detections: list[Any] = []
        self.images: list[Any] = []
        self.boxes: list[Any] = []
        (root / "coco" / "train2014").mkdir(parents=True)
        for number, split in ((7, "val"), (8, "train"), (9, "val")):
            name = f"COCO_train2014_{number:012}.jpg"
            Image.new("RGB", (64, 48)).save(root / "coco" / "train2014" / name)
            self.images.append({"id": number, "file_name": name, "width": 64, "height": 48})
            for position, thing in enumerate(THINGS):
                item = {
                    "id": number * 10 + position,
                    "image_id": number,
                    "category_id": position + 1,
                    "bbox": [2 + 20 * position, 2, 16, 10],
                }
                self.boxes.append(item)
                if thing != "spoon":
                    self.refs.append(ref(item, split, f"the {thing}"))

    def detect(self, image: Any, score: Any, box: Any, category: Any = 4) -> None:
        """Add a detection; its box is xywh, pixels."""
        item = {"image_id": image, "category_id": category, "bbox": box, "score": score}
        self.detections.append(item)

    def save(self, detections: str | None = None) -> dict[str, str]:
        """Write the files and return the paths that the source is given."""
        folder = self.root / "refcocog"
        folder.mkdir(exist_ok=True)
        categories = [{"id": k, "name": name} for k, name in enumerate(THINGS, start=1)]
        instances = {
            "images": self.images, "annotations": self.boxes, "categories": categories,
        }  # fmt: skip
        (folder / "refs(umd).p").write_bytes(pickle.dumps(self.refs, 2))
        (folder / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
        text = json.dumps(self.detections) if detections is None else detections
        (self.root / "boxes.json").write_text(text, encoding="utf-8")
        (self.root / "names.txt").write_text(NAMES, encoding="utf-8")
        return {
            "detections": str(self.root / "boxes.json"),
            "detection_names": str(self.root / "names.txt"),
        }


def ref(item, split, *texts):
    return {
        "ref_id": item["id"],
        "ann_id": item["id"],
        "image_id": item["image_id"],
        "category_id": item["category_id"],
        "file_name": "",
        "split": split,
        "sent_ids": [],
        "sentences": [
            {"sent_id": item["id"] * 10 + position, "sent": text, "raw": text, "tokens": []}
            for position, text in enumerate(texts)
        ],
    }


@pytest.fixture
def owner(tmp_path):
    """Files in which each cup is detected, and no bowl."""
    made = Owner(tmp_path / "root")
    for number in (7, 8, 9):
        made.detect(number, 0.9, CUP, 1)
    return made


@pytest.fixture
def evaluate(build_source):
    """Builds an evaluation of what an `Owner` has written, val alone if not told otherwise."""

    def build(owner, detections=None, *, launch_options=None, splits=("val",), paths=(), **options):
        paths = {**owner.save(detections), **dict(paths)}
        request = {"paths": paths, "splits": splits, "tasks": (TASK,)}
        return build_source(
            "refcocog",
            owner.root,
            request=request,
            launch_options=launch_options,
            evaluation=True,
            **options,
        )

    return build


@pytest.fixture(scope="session")
def make_ref():
    """Makes a ref about an annotation: its split, and what is said."""
    return ref


@pytest.fixture(scope="session")
def candidates():
    """Looks up the scores of the candidates for a sentence, None for the owner's box; the group."""

    def find(output, image=7, about="the cup"):
        (row,) = (
            row
            for row in output.rows()
            if row["id"].split("/")[2] == str(image)
            and f'"{about}"' in row["messages"][0]["content"]
        )
        scores = [region["score"] and round(region["score"], 5) for region in row["regions"]]
        return sorted(scores, key=lambda score: (score is None, score)), row["evaluation"][0][
            "group"
        ]

    return find
