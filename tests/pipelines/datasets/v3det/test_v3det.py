"""V3Det: real categories and real file names; boxes drawn by us, for no real file could be had."""

import json
import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from pipelines.datasets.common import slices
from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.v3det.source import divide, parse
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError
from schemas.rejection import Rejection
from tests.pipelines.datasets.divided import counted, entries_of

SIZE = (60, 40)  # width, height of a picture; pixels
TWICE = ("decoration", "door")  # names that stand twice among the real categories


def annotation(image, category, step):
    """An annotation as `formats.md` has it, without an id."""
    box = [step * 2, step + 0.5, 20 + step, 12]
    return {
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "iscrowd": 0,
        "area": box[2] * box[3] * 0.75,  # of the object, not of its box
    }


def owners_file(categories, names, *, ids):
    """A file whose annotations have an id, or none."""
    by_name = defaultdict(list)
    for category in categories:
        by_name[category["name"]].append(category["id"])
    images, annotations = [], []
    for number, name in enumerate(names, start=1):
        images.append({"id": number, "file_name": name, "height": SIZE[1], "width": SIZE[0]})
        annotations += [
            annotation(number, categories[(number * 331 + step * 7) % len(categories)]["id"], step)
            for step in range(number % 4 + 1)
        ]
    for number, name in enumerate(TWICE, start=1):
        annotations += [
            annotation(number, category_id, 10 + shift)
            for shift, category_id in enumerate(by_name[name])
        ]
    if ids:
        annotations = [{"id": 1 + place} | item for place, item in enumerate(annotations)]
    return {"images": images, "annotations": annotations, "categories": categories}


class Owner:
    """A data root with V3Det's files, written by `save`."""

    def __init__(self, root: Path, samples: Path) -> None:
        self.root = root
        real = json.loads((samples / "v3det/v3det_2023_v1_train_cat_info.json").read_text("utf-8"))
        for category in real[::2]:
            category["cat_info"] = [category["cat_info"]]  # both forms have been released
        names = list(
            json.loads((samples / "v3det/v3det_2023_v1_image2url_val.json").read_text("utf-8"))
        )
        self.data = {
            "train": owners_file(real, names[:30], ids=False),
            "val": owners_file(real, names[100:112], ids=True),
        }
        for name in (*names[:30], *names[100:112]):
            path = root / "v3det" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE, (len(name), 99, 7)).save(path)

    def file(self, split: str) -> Path:
        return self.root / "v3det" / "annotations" / f"v3det_2023_v1_{split}.json"

    def save(self) -> Path:
        for split, data in self.data.items():
            self.file(split).parent.mkdir(parents=True, exist_ok=True)
            self.file(split).write_text(json.dumps(data), encoding="utf-8")
        return self.root


@pytest.fixture
def owner(tmp_path, samples):
    return Owner(tmp_path / "root", samples)


@pytest.fixture
def build_it(build_source):
    return partial(build_source, "v3det")


def second_reader(file: Path, pictures: Path):
    """What a file says, read with nothing but `json`: boxes by file name, and what must go."""
    data = json.loads(file.read_text("utf-8"))
    names = {category["id"]: category["name"] for category in data["categories"]}
    there = {
        image["id"]: image for image in data["images"] if (pictures / image["file_name"]).exists()
    }
    kept, seen = defaultdict(list), set()
    gone: Counter[tuple[str, str]] = Counter()
    gone["image", "image_missing"] = len(data["images"]) - len(there)
    for item in data["annotations"]:
        category = item["category_id"]
        if isinstance(category, list) and len(category) == 1:
            (category,) = category
        content = json.dumps([item["image_id"], category, item["bbox"]])
        if "id" not in item and content in seen:
            gone["annotation", "duplicate"] += 1
            continue
        seen.add(content)
        if item["image_id"] not in there:
            gone["annotation", "with_image"] += 1
        elif isinstance(category, list):
            gone["annotation", "malformed"] += 1
        elif category not in names:
            gone["annotation", "unknown_category"] += 1
        elif item["iscrowd"]:
            gone["annotation", "crowd"] += 1
        else:
            x, y, width, height = item["bbox"]
            box = (max(x, 0), max(y, 0), min(x + width, SIZE[0]), min(y + height, SIZE[1]))
            name = there[item["image_id"]]["file_name"]
            kept[name].append((names[category], box, item["area"]))
    gone["image", "no_regions"] = len(there) - len(kept)
    return kept, gone


def spoil(data):
    """Add one of each fault that V3Det's users report."""
    plain = {"image_id": 3, "category_id": 5, "bbox": [1, 2, 3, 4], "iscrowd": 0, "area": 12}
    data["annotations"] += [
        plain,
        plain | {},
        plain | {"category_id": [6]},
        plain | {"category_id": [6, 7]},
        plain | {"category_id": []},
        plain | {"category_id": 13_205},
        plain | {"bbox": [2, 2, 9, 9], "iscrowd": 1},
        plain | {"bbox": [50, 30, 99, 99]},
        plain | {"image_id": 4, "bbox": [1, 2, 3, 4]},
    ]


def shown(row):
    """The boxes of a record with their names, and the answers to its turns by token."""
    asked = [m["content"] for m in row["messages"] if m["role"] == "user"]
    answers = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
    numbers = [int(re.findall(r"<region(\d+)>", text)[0]) for text in asked]
    regions = [row["regions"][number - 1] for number in numbers]
    assert [region["category"].replace("_", " ") for region in regions] == answers
    return sorted((region["category"], tuple(region["bbox"]), region["area"]) for region in regions)


def test_a_second_reader_agrees(owner, build_it):
    spoil(owner.data["train"])
    root = owner.save()
    (root / "v3det" / owner.data["train"]["images"][6]["file_name"]).unlink()
    built = build_it(root)
    assert verify(str(built.folder)).problems == []
    gone: Counter[tuple[str, str]] = Counter()
    for split in ("train", "val"):
        kept, lost = second_reader(owner.file(split), root / "v3det")
        gone += lost
        rows = {r["image"]["path"]: r for r in built.rows(f"v3det/{split}-*.arrow")}
        assert rows.keys() == kept.keys()
        for name, row in rows.items():
            for (category, box, area), (expected, corners, stated) in zip(
                shown(row), sorted(kept[name]), strict=True
            ):
                assert category == expected
                assert box == pytest.approx(corners, abs=0.01)
                assert area == stated
    assert built.with_image() == {"annotation": gone.pop(("annotation", "with_image"))}
    assert Counter((kind, reason) for kind, _, reason in built.rejected()) == gone
    assert gone["annotation", "duplicate"] == 1
    assert gone["annotation", "malformed"] == 2
    assert not built.sampled_out()


def test_the_label_set_is_named(owner, build_it):
    first = build_it(owner.save()).rows("v3det/val-*.arrow")[0]["messages"][0]["content"]
    assert first.endswith("Answer the question using V3Det-13204 category names.")


def test_two_ids_of_one_name_both_answer_with_it(owner, build_it):
    built = build_it(owner.save())
    ids = {c["id"]: c["name"] for c in owner.data["val"]["categories"]}
    for name in TWICE:
        assert list(ids.values()).count(name) > 1
        boxes = [
            region
            for row in built.rows("v3det/val-*.arrow")
            for region in row["regions"]
            if region["category"] == name
        ]
        assert len(boxes) >= list(ids.values()).count(name)


def test_made_ids_hang_on_no_order_and_no_blanks(owner, build_it):
    before = build_it(owner.save())
    for data in owner.data.values():
        for items in data.values():
            items.reverse()
    owner.save()
    owner.file("train").write_text(json.dumps(owner.data["train"], indent=3), encoding="utf-8")
    assert build_it(owner.root).digests() == before.digests()


def test_parts_make_no_difference(owner, build_it, in_parts):
    spoil(owner.data["train"])
    owner.data["train"]["annotations"][2:2] = [{"category_id": 5}, "no annotation"]
    root = owner.save()
    one, several = build_it(root), build_it(root, launch_options=in_parts)
    assert one.digests() == several.digests()
    assert one.rejected() == several.rejected()
    assert one.ledger() == several.ledger()


@pytest.mark.parametrize("looked_at", [True, False])
@pytest.mark.parametrize("ids", [True, False])
def test_a_divided_file_yields_what_it_yields_as_a_whole(owner, monkeypatch, ids, looked_at):
    annotations = owner.data["val" if ids else "train"]["annotations"]
    for step in range(30):
        annotations.append(annotation(1 + step % 10, 5, step % 3) | ({"id": step} if ids else {}))
        annotations.append(annotation(1 + step % 10, [7], 0) | {"area": step})
    request = SourceRequest(name="v3det", splits=("val" if ids else "train",))
    monkeypatch.setattr(slices, "SLICE_BYTES", 2000)
    plan = make_plan(Recipe(sources=(request,)), str(owner.save()), "/nowhere")
    split = replace(plan.splits[0], sizing=replace(plan.splits[0].sizing, shard_bytes=450))
    assert plan.indexes[split.file] is not None
    divided = entries_of(divide(split, FileStore(), 2, plan.indexes if looked_at else {}))
    assert counted(divided) == counted(parse(split, FileStore()))
    assert sum(isinstance(entry, Rejection) for entry in divided) >= 20, "repeats"


def test_what_is_no_annotation_is_named_by_its_place(owner, build_it):
    spoil(owner.data["train"])
    places = len(owner.data["train"]["annotations"])
    owner.data["train"]["annotations"] += [{"category_id": 5}, 7]
    built = build_it(owner.save())
    bad = [item_id for _, item_id, reason in built.rejected() if "annotations[" in item_id]
    assert bad == [f"annotations[{places}]", f"annotations[{places + 1}]"]


def test_names_with_other_spellings_in_the_text_file_do_not_count(owner, build_it):
    before = build_it(owner.save())
    names = owner.file("train").parent / "category_name_13204_v3det_2023_v1.txt"
    names.write_text("other\n" * 13_204, encoding="utf-8")
    assert build_it(owner.root).digests() == before.digests()


def test_no_file_at_all_is_an_error_that_says_where_to_get_it(owner, build_it):
    owner.save()
    for split in ("train", "val"):
        owner.file(split).unlink()
    with pytest.raises(UsageError, match=r"v3det_2023_v1_train\.json.*https://"):
        build_it(owner.root)


def test_a_file_that_breaks_off_is_named(owner, build_it):
    root = owner.save()
    text = owner.file("train").read_bytes()
    owner.file("train").write_bytes(text[: len(text) // 2])
    with pytest.raises(InputFileError, match=r"v3det_2023_v1_train\.json.*not a whole"):
        build_it(root)


def test_a_file_without_images_is_named(owner, build_it):
    root = owner.save()
    del owner.data["train"]["images"]
    owner.save()
    with pytest.raises(InputFileError, match=r"v3det_2023_v1_train\.json.*`images`"):
        build_it(root)


def test_bytes_that_are_no_text_spoil_one_annotation(owner, build_it):
    before = build_it(owner.save())
    odd = {"id": 7, "image_id": 3, "category_id": "ODD", "bbox": [1, 2, 3, 4]}
    owner.data["train"]["annotations"].append(odd)
    owner.save()
    content = owner.file("train").read_bytes()
    owner.file("train").write_bytes(content.replace(b"ODD", b"\xff\xfe"))
    built = build_it(owner.root)
    assert built.rejected() == sorted([*before.rejected(), ("annotation", "7", "malformed")])
    assert built.images() == before.images()
