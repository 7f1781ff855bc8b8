"""Exports, loaded by the programs that they are for, give back the records with their boxes.

Run by `make test-loaders`, which installs ms-swift, LLaMA-Factory, webdataset and qwen-vl-utils in
an environment of their own; no part of `make test`.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import webdataset
from PIL import Image
from pycocotools.coco import COCO
from qwen_vl_utils import process_vision_info
from qwen_vl_utils.vision_process import smart_resize

from pipelines.cli.parser import run
from pipelines.export.boxes import LEAST_PIXELS, MOST_PIXELS, PATCH, resized_size
from pipelines.export.run import Request, export_build
from tests.loaders.real_root import FLAGS, SOURCES, write_real_root

pytestmark = pytest.mark.timeout(900)

NUMBERS = re.compile(r"\[(\d[\d.]*), (\d[\d.]*), (\d[\d.]*), (\d[\d.]*)\]")
REGION = re.compile(r"<region(\d+)>")


@pytest.fixture(scope="session", params=["drawn", "photographs"])
def outputs(request, made_once):
    """A folder with a build, a RecapD output, and both merged."""

    def make(folder: Path) -> None:
        if request.param == "drawn":
            root, sources, flags = request.getfixturevalue("sample_world"), "coco,flickr30k", []
        else:
            root, sources = folder / "data", SOURCES
            flags = [word.format(root=root) for word in FLAGS]
            write_real_root(request.getfixturevalue("samples"), root)
        inputs = ("--data-root", root, "--allow-missing", "--label-set", "coco=Things")
        made = {name: folder / name for name in ("build", "recapd", "merged")}
        for words in (
            ("build", "--sources", sources, *inputs, *flags, "--output", made["build"]),
            (
                *("recap", "--source", "coco", *inputs, "--output", made["recapd"]),
                *("--captioner", "builtin", "--no-filter"),
            ),
            ("merge", made["build"], made["recapd"], "--output", made["merged"]),
        ):
            assert run([str(word) for word in words]) == 0

    folder: Path = made_once(f"loaders_{request.param}", make)
    return folder


@pytest.fixture(scope="session", params=["build", "recapd", "merged"])
def output(outputs: Path, request: pytest.FixtureRequest) -> Path:
    return outputs / str(request.param)


@pytest.fixture
def records(output):
    """The records of the output, by id."""
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(output.glob("*/*.arrow")):
        with pa.ipc.open_stream(path) as stream:
            rows |= {row["id"]: row for row in stream.read_all().to_pylist()}
    assert rows
    return rows


@pytest.fixture
def export(output: Path, tmp_path: Path) -> Callable[..., Path]:
    """Exports the output, and returns the folder."""

    def made(name: str, coordinates: str | None = None) -> Path:
        folder = tmp_path / "made"
        export_build(str(output), str(folder), Request(format=name, coordinates=coordinates))
        return folder

    return made


def assert_same(
    record: dict[str, Any],
    turns: list[tuple[str, str]],
    boxes: list,
    steps: tuple[float, float] = (0.001, 0.001),
) -> None:
    """The turns, with `<box>` for each box, and the boxes, in pixels, are those of a record.

    Each coordinate to half a step of its format; `steps` are pixels of the record's picture across
    and down.
    """
    stored = [(turn["role"], turn["content"]) for turn in record["messages"]]
    assert turns == [(role, REGION.sub("<box>", text)) for role, text in stored]
    numbers = [int(number) for _, text in stored for number in REGION.findall(text)]
    for box, number in zip(boxes, numbers, strict=True):
        for read, wanted, step in zip(
            box, record["regions"][number - 1]["bbox"], steps * 2, strict=True
        ):
            assert abs(read - wanted) <= step / 2 + 1e-6


def test_ms_swift(export, records, monkeypatch):
    folder = export("swift")
    monkeypatch.setenv("ROOT_IMAGE_DIR", str(folder))
    from swift.dataset import load_dataset
    from swift.template.vision_utils import load_image

    for path in sorted(folder.glob("*/*.jsonl")):
        names = [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()]
        rows, _ = load_dataset(str(path), num_proc=1, strict=True, remove_unused_columns=False)
        for name, row in zip(names, rows, strict=True):
            turns = [(m["role"], m["content"].replace("<bbox>", "<box>")) for m in row["messages"]]
            record = records.pop(name)
            assert_same(record, turns, row["objects"]["bbox"])
            (image,) = row["images"]
            assert load_image(image["path"]).size == (record["width"], record["height"])
    assert records == {}


@pytest.mark.parametrize("coordinates", ["thousandths", "pixels"])
def test_llama_factory(export, records, monkeypatch, coordinates):
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    from llamafactory.data.loader import _load_single_dataset, get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments

    folder = export("llamafactory", coordinates)
    settings = DataArguments(
        dataset_dir=str(folder), media_dir=str(folder), preprocessing_num_workers=1
    )
    process = SimpleNamespace(local_process_index=0, should_log=False)
    for name, entry in json.loads((folder / "dataset_info.json").read_bytes()).items():
        names = [each["id"] for each in json.loads((folder / entry["file_name"]).read_bytes())]
        (attributes,) = get_dataset_list([name], str(folder))
        model = ModelArguments(model_name_or_path="none")
        rows = _load_single_dataset(attributes, model, settings, process)
        for record_id, row in zip(names, rows, strict=True):
            record = records.pop(record_id)
            size = record["width"], record["height"]
            units = resized_size(*size) if coordinates == "pixels" else (1000, 1000)
            texts = [(turn["role"], turn["content"]) for turn in row["_prompt"] + row["_response"]]
            boxes = [
                [float(v) * s / u for v, s, u in zip(box, size * 2, units * 2, strict=True)]
                for _, text in texts
                for box in NUMBERS.findall(text)
            ]
            steps = size[0] / units[0], size[1] / units[1]
            turns = [(role, NUMBERS.sub("<box>", text)) for role, text in texts]
            assert_same(record, turns, boxes, steps)
            (image,) = row["_images"]
            assert Path(image).read_bytes() == record["image"]["bytes"]
    assert records == {}


# Its reader leaves files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset(export, records):
    for path in sorted(export("webdataset").glob("*/*.tar")):
        for sample in webdataset.WebDataset(str(path), shardshuffle=False).decode("pil"):
            record = records.pop(sample["json"]["id"])
            (picture,) = (value for value in sample.values() if isinstance(value, Image.Image))
            assert picture.size == (record["width"], record["height"])
            assert sample["json"]["regions"] == record["regions"]
            assert sample["json"]["messages"] == record["messages"]
    assert records == {}


def test_pycocotools(export, records):
    boxes = defaultdict(list)
    for record in records.values():
        for region in record["regions"]:
            if region["category"] is not None:
                key = record["image"]["path"], region["region_id"], region["category"]
                boxes[key].append(region["bbox"])
    folder, seen = export("coco"), set()
    for path in sorted((folder / "annotations").glob("instances_*.json")):
        coco = COCO(path)
        for annotation in coco.anns.values():
            image = coco.imgs[annotation["image_id"]]
            assert (folder / image["file_name"]).is_file()
            name = image["file_name"].split("/", 3)[-1]  # after images, source and split
            key = name, annotation["region_id"], coco.cats[annotation["category_id"]]["name"]
            x, y, width, height = annotation["bbox"]
            corners = [x, y, x + width, y + height]
            assert any(corners == pytest.approx(box, abs=0.001) for box in boxes[key])
            if "segmentation" in annotation:  # of regions with a mask alone
                assert coco.annToMask(annotation).shape == (image["height"], image["width"])
            seen.add(key)
    assert seen == boxes.keys()


def test_qwen_resizes_to_the_sizes_of_exports(export, records):
    folder = export("qwen", "pixels")
    for path in sorted(folder.glob("*/*.jsonl")):
        for line in path.read_text("utf-8").splitlines()[:20]:
            entry = json.loads(line)
            limits = {"min_pixels": LEAST_PIXELS, "max_pixels": MOST_PIXELS}
            content = [{"type": "image", "image": str(folder / entry["image"]), **limits}]
            (picture,), _ = process_vision_info([{"role": "user", "content": content}])
            record = records[entry["id"]]
            assert picture.size == resized_size(record["width"], record["height"])


def test_qwens_sizes_of_any_picture():
    sizes = random.Random(0)
    for _ in range(20_000):
        width, height = sizes.randint(50, 9_000), sizes.randint(50, 9_000)
        high, wide = smart_resize(
            height, width, factor=PATCH, min_pixels=LEAST_PIXELS, max_pixels=MOST_PIXELS
        )
        assert (wide, high) == resized_size(width, height)
