"""RefCOCO's splits yield divided what they yield as a whole, and each byte is read once."""

import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from pipelines.datasets.common import bins, slices
from pipelines.datasets.refcoco.source import divide, parse
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.sample import Task
from schemas.source import SourceImage, SplitInput
from tests.pipelines.datasets.divided import counted, entries_of
from tests.pipelines.reads import Parts

NAMES = ("horse", "car", "pizza", "clock")
PHRASES = ("a horse on grass", "a car on asphalt", "a pizza with basil", "a clock with numerals")
IMAGES, MISSING = range(1, 31), 7
SPLITS = ("train", "val", "test")


def texts_of(kind: int) -> list[str]:
    """What is said of a thing, some of it twice."""
    phrase = PHRASES[kind % 4]
    return ["a thing", f"the {NAMES[kind % 4]} on the left", phrase, phrase]


def refs_of(number: int) -> list[dict[str, object]]:
    """Refs to two of an image's boxes; some are odd."""
    split = SPLITS[number % 5 % 3]
    refs = [
        {
            "ref_id": number * 10 + position,
            "ann_id": number * 10 + position,
            "image_id": number,
            "split": split,
            "sentences": [
                {"sent_id": number * 100 + position * 10 + k, "sent": text}
                for k, text in enumerate(texts_of(number + position)[number % 3 :])
            ],
        }
        for position in range(2)
    ]
    return [*refs, {**refs[0], "sentences": [7]}] if number % 7 == 0 else refs


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data root with RefCOCOg's files, flat ones of the same, and detections."""
    root: Path = tmp_path_factory.mktemp("root")
    pictures, folder = root / "coco" / "train2014", root / "refcocog"
    pictures.mkdir(parents=True)
    folder.mkdir()
    images, boxes, refs, detections = [], [], [], []
    for number in IMAGES:
        name = f"COCO_train2014_{number:012}.jpg"
        if number != MISSING:
            Image.new("RGB", (64, 48), (number, 0, 0)).save(pictures / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        for position in range(3):
            box = [1 + 20 * position, 2, 16, 10 + number % 5]
            item = {"image_id": number, "category_id": (number + position) % 4 + 1, "bbox": box}
            boxes.append({"id": number * 10 + position, "area": 9.5, **item})
            detections += [{**item, "score": 0.9}, {**item, "score": 0.2}]
        refs += refs_of(number)
    boxes += [{"id": 5}, {**boxes[3], "bbox": [1]}, {**boxes[4], "image_id": 99}]
    refs[-1] = {**refs[-1], "image_id": 99}
    categories = [{"id": k, "name": name} for k, name in enumerate(NAMES, start=1)]
    instances = {"images": [*images, None], "annotations": boxes, "categories": categories}
    (folder / "refs(umd).p").write_bytes(pickle.dumps(refs, 2))
    (folder / "instances.json").write_text(json.dumps(instances))
    (root / "detections.json").write_text(json.dumps([*detections, {"score": 1}]))
    (root / "names.txt").write_text("\n".join(NAMES))
    flat = [
        {"img_id": f"COCO_train2014_{box['image_id']:012}_{k}", "sents": text, "bbox": box["bbox"]}
        | {"height": 48, "width": 64 + (k == 8)}
        for k, box in enumerate(boxes[:-3])
        for text in (PHRASES[k % 4], f"the {NAMES[k % 4]}")
    ]
    (root / "flat.json").write_text(json.dumps([*flat, {"img_id": "?"}, 3]))
    return root


FORMS = ("pickle", "flat", "detections", "flat detections")  # the last two in an evaluation
FLAT_SPLITS = ("train", "val")


def recipe_of(root: Path, form: str, limit: int | None = None) -> dict[str, object]:
    """The request for a form of the source, and options of the recipe."""
    paths: dict[str, str] = {}
    evaluation = "detections" in form
    if "flat" in form:
        paths |= dict.fromkeys(FLAT_SPLITS, str(root / "flat.json"))
    request: dict[str, object] = {"name": "refcocog", "paths": paths}
    if evaluation:
        paths["detections"] = str(root / "detections.json")
        paths["detection_names"] = str(root / "names.txt")
        request["tasks"] = (Task.REFERRING_EXPRESSION_COMPREHENSION,)
    return {"request": request, "evaluation": evaluation, "limit": limit, "guard": False}


def splits_of(root: Path, form: str, limit: int | None = None) -> tuple[SplitInput, ...]:
    options = recipe_of(root, form, limit)
    recipe = Recipe.model_validate({"sources": [options.pop("request")], **options})
    return tuple(make_plan(recipe, str(root), "unused").splits)


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("form", FORMS)
def test_a_divided_split_yields_what_it_yields_as_a_whole(root, form, limit):
    images = []
    for split in splits_of(root, form, limit):
        divided = entries_of(divide(split, FileStore(), 3, {}))
        assert counted(divided) == counted(parse(split, FileStore()))
        images += [entry for entry in divided if isinstance(entry, SourceImage)]
    numbers = [image.image.image_id for image in images]
    whole = [str(number) for number in IMAGES if number != MISSING]
    if limit is None:
        assert sorted(numbers) == sorted(whole if "flat" not in form else whole * 2)
    assert all(image.regions for image in images)
    assert any(image.items for image in images)
    assert any(image.absent for image in images) == ("detections" not in form)


def test_images_lie_in_several_bins(root, monkeypatch):
    monkeypatch.setattr(bins, "_BIN_BYTES", 500)
    for split in splits_of(root, "pickle"):
        divided = divide(split, FileStore(), 1, {}).bins
        read = [[*some.read(FileStore(), content, ())] for some, content in divided]
        sizes = [sum(isinstance(entry, SourceImage) for entry in entries) for entries in read]
        assert len(sizes) > 2
        assert max(sizes) < sum(sizes)


@pytest.fixture(scope="module")
def whole(root, run_build):
    """The build of each form as a whole."""
    return {form: run_build(root, **recipe_of(root, form)) for form in FORMS}


@pytest.mark.parametrize(
    ("parts", "form"), [(1, "pickle"), (8, "pickle"), *((2, form) for form in FORMS)]
)
def test_each_byte_is_read_once_for_all_splits(
    root, whole, run_build, monkeypatch, bytes_read, parts, form
):
    paths = {path for split in splits_of(root, form) for path in split.files.values()}
    bytes_read.clear()
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    output = run_build(root, **recipe_of(root, form), launch_options=Parts(parts))
    assert output.digests() == whole[form].digests()
    assert output.ledger() == whole[form].ledger()
    assert output.rejected() == whole[form].rejected()
    for path in paths:
        assert bytes_read["stages", path] == Path(path).stat().st_size, path
        looked = bytes_read["look", path] + bytes_read["fingerprint", path]
        assert looked == Path(path).stat().st_size, "by which the file is hashed, too"
