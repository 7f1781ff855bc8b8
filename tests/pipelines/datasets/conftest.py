"""What tests of sources share: builds in this process, VCR's real lines, a file of LLaVA's."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch


@pytest.fixture(scope="session")
def build_source(tmp_path_factory, output_of):
    """Builds one source of a data root and returns its output."""

    def build(name, root, *, request=None, launch_options=None, **options):
        folder = tmp_path_factory.mktemp("output")
        options = {"allow_missing": True} | options  # the samples have few of the pictures
        recipe = Recipe(sources=(SourceRequest(name=name, **(request or {})),), **options)
        launch(make_plan(recipe, str(root), str(folder)), launch_options or LaunchOptions())
        return output_of(folder)

    return build


@pytest.fixture(scope="session")
def build_recipe(tmp_path_factory, output_of):
    """Builds a recipe of ours, with some of it changed, and returns its output."""

    def build(name, root, *, launch_options=None, **changes):
        folder = tmp_path_factory.mktemp("output")
        recipe = make_recipe(load_recipe(name) | {"allow_missing": True} | changes, name)
        launch(make_plan(recipe, str(root), str(folder)), launch_options or LaunchOptions())
        return output_of(folder)

    return build


@pytest.fixture(scope="session")
def vcr_root(samples, tmp_path_factory):
    """Lays out VCR's real lines, in the split that is named for each image; pictures are drawn."""

    def lay_out(split_of) -> Path:
        root: Path = tmp_path_factory.mktemp("vcr_root")
        pictures, owner = root / "vcr" / "vcr1images", samples / "vcr"
        lines = defaultdict(list)
        annotations = owner / "vcr1annots" / "train.jsonl"
        for line in annotations.read_text(encoding="utf-8").splitlines():
            question = json.loads(line)
            lines[split_of(question["img_id"])].append(line)
            metadata = pictures / question["metadata_fn"]
            metadata.parent.mkdir(parents=True, exist_ok=True)
            metadata.write_bytes((owner / "vcr1images" / question["metadata_fn"]).read_bytes())
            size = json.loads(metadata.read_bytes())
            picture = Image.new("RGB", (size["width"], size["height"]), (90, 120, 40))
            picture.save(pictures / question["img_fn"], quality=10)
        for split, texts in lines.items():
            (root / "vcr" / f"{split}.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
        return root

    return lay_out


class LlavaFile:
    """A data root with records of LLaVA's, pictures, and what a detector found; see `save`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records: list[Any] = []
        self.detections: list[Any] = []
        root.mkdir(exist_ok=True)

    def picture(self, name: str, kind: str = "JPEG", size: tuple[int, int] = (200, 100)) -> None:
        """Draw a picture below the root; by its bare name, one of COCO's."""
        path = self.root / (name if "/" in name else f"coco/train2017/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (9, len(name), int(path.stem[-2:], 36) % 256)).save(path, kind)

    def record(self, name: str | None = None, *texts: str, **changes: Any) -> dict[str, Any]:
        """Add a record: what a human and the model say in turn, of a picture or of none."""
        turns = [
            {"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)
        ]
        item: dict[str, Any] = {"id": Path(name or "a_text").stem, "conversations": turns}
        item |= ({"image": name} if name else {}) | changes
        self.records.append(item)
        return item

    def detect(
        self, image: int, category: int, score: float | None, box: Any = (10, 10, 50, 40)
    ) -> None:
        """Add a detection; its box is xywh, pixels."""
        item = {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
        self.detections.append(item)

    def save(self, name: str = "llava_instruct_150k") -> Path:
        """Write the records, and the detections if there are any; return the records' file."""
        path = self.root / "llava" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.records), encoding="utf-8")
        (self.root / "boxes.json").write_text(json.dumps(self.detections), encoding="utf-8")
        return path


@pytest.fixture
def llava_file(tmp_path):
    """An empty `LlavaFile`."""
    return LlavaFile(tmp_path / "root")


def instructed(owner: LlavaFile) -> LlavaFile:
    """Add records as in the 150k: bare names, and one id for all records of a picture."""
    for number in range(1, 6):
        name = f"{number:012d}.jpg"
        owner.picture(name)
        for kind in range(number % 3 + 1):
            text = f"Question {kind} of {number}?"
            first = f"{text}\n<image>" if kind else f"<image>\n{text}"
            owner.record(name, first, f"Answer {kind}.", "And?", f"So {number}.")
    return owner


@pytest.fixture
def instruct(llava_file):
    """Records as in the 150k, not yet saved."""
    return instructed(llava_file)


@pytest.fixture(scope="session")
def instruct_said(tmp_path_factory, build_source, said_in):
    """What a build says of the records of `instruct` alone."""
    owner = instructed(LlavaFile(tmp_path_factory.mktemp("llava") / "root"))
    owner.save()
    return said_in(build_source("llava", owner.root))


@pytest.fixture(scope="session")
def said_in():
    """What is said in a build: the file of each picture with the turns about it, in order."""

    def read(output) -> list[tuple[str, tuple[str, ...]]]:
        return sorted(
            (
                row["image"]["path"] if row["image"] else "",
                tuple(message["content"] for message in row["messages"]),
            )
            for row in output.rows()
        )

    return read


@pytest.fixture(scope="session")
def tokenised_in():
    """Reads an output; returns its messages with a blank before a stop or a possessive."""
    mark = re.compile(r"\s[.,;:!?]|\s['’´`]\s?(?:s|t|re|ve|ll|d|m)\b(?!')|\sn't\b")

    def read(output) -> list[str]:
        messages = [message["content"] for row in output.rows() for message in row["messages"]]
        assert messages
        return [message for message in messages if mark.search(message)]

    return read


@pytest.fixture
def detected(build_source):
    """Builds a `LlavaFile` with a detector's boxes in every conversation."""

    def build(owner, names="coco", paths=(), **options):
        owner.save()
        paths = {"detections": str(owner.root / "boxes.json"), **dict(paths)}
        request = {"paths": paths, "detection_names": names}
        options = {"no_box_share": 0, "style": "gpt4roi"} | options
        return build_source("llava", owner.root, request=request, **options)

    return build


@pytest.fixture(scope="session")
def boxes_in():
    """Boxes with category and score, by the number of their picture."""

    def read(output) -> dict[int, list[Any]]:
        return {
            int(row["image"]["path"][-16:-4]): sorted(
                (region["category"], round(region["score"] or 0, 4), *map(float, region["bbox"]))
                for region in row["regions"]
            )
            for row in output.rows()
        }

    return read
