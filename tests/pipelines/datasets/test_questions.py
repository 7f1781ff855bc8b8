"""Questions from annotations beside a second reader of the owners' real files.

It knows the formats from their descriptions and shares no code with ours: an answer must be what
the file says, and what a file leaves open must not be asked.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from pipelines.verify import verify
from schemas.errors import UsageError

YES_NO, COUNT, SEVERAL = "region_yes_no", "region_count", "multi_region_answer"
ASKED = (YES_NO, COUNT, SEVERAL)
HALF = 0.5


class SecondReader:
    """A file in COCO's layout: boxes by image and class, and what its images say of classes."""

    def __init__(self, file: Path) -> None:
        content = json.loads(file.read_bytes())
        names = {each["id"]: each["name"] for each in content["categories"]}
        shown = sorted((name.replace("_", " ") for name in names.values()), key=len, reverse=True)
        self.any_name = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, shown))})(?!\w)")
        self.categories: dict[str, str] = {}  # of a region
        self.boxes: dict[tuple[str, str], list[list[float]]] = {}
        self.partial: set[tuple[str, str]] = set()
        self.absent: set[tuple[str, str]] = set()
        for each in content["images"]:
            number = str(each["id"])
            for listed, among in (
                ("neg_category_ids", self.absent),
                ("not_exhaustive_category_ids", self.partial),
            ):
                among |= {(number, names[k].replace("_", " ")) for k in each.get(listed, ())}
        for each in content["annotations"]:
            key = str(each["image_id"]), names[each["category_id"]].replace("_", " ")
            x, y, width, height = each["bbox"]
            if each.get("iscrowd") or not width or not height:
                self.partial.add(key)
            else:
                self.categories[str(each["id"])] = key[1]
                self.boxes.setdefault(key, []).append([x, y, x + width, y + height])
        self.partial |= {
            key
            for key, boxes in self.boxes.items()
            if any(one == other for one, other in combinations(boxes, 2))
        }

    def known(self, image: str) -> dict[str, list[list[float]]]:
        """The classes of an image of which every object is there, with the boxes."""
        return {
            name: boxes
            for (number, name), boxes in self.boxes.items()
            if number == image and (number, name) not in self.partial | self.absent
        }

    def named(self, text: str) -> str:
        """The class that a question names: the longest name in it that stands as such."""
        names: list[str] = self.any_name.findall(text)
        return max(names, key=len)


def inside(box: Sequence[float], outer: Sequence[float]) -> float:
    """The share of a box that lies in another one."""
    width = min(box[2], outer[2]) - max(box[0], outer[0])
    height = min(box[3], outer[3]) - max(box[1], outer[1])
    return max(0, width) * max(0, height) / ((box[2] - box[0]) * (box[3] - box[1]))


def union_share(box: Sequence[float], other: Sequence[float]) -> float:
    """The intersection of two boxes over their union."""
    both = inside(box, other) * (area := (box[2] - box[0]) * (box[3] - box[1]))
    return both / (area + (other[2] - other[0]) * (other[3] - other[1]) - both)


def turns(output, task):
    """Each turn of a task: image, regions asked about, question and answer."""
    for row in output.rows():
        assert len(set(row["turn_tasks"])) == 1, "no other turn gives an answer away"
        if row["task"] == task:
            texts = [message["content"] for message in row["messages"]]
            for question, answer in zip(texts[::2], texts[1::2], strict=True):
                numbers = [int(number) - 1 for number in re.findall(r"<region(\d+)>", question)]
                regions = [row["regions"][number] for number in numbers]
                yield row["id"].split("/")[2], regions, question, answer


@pytest.fixture(scope="module")
def lvis(samples, tmp_path_factory, build_source):
    """The second reader of LVIS' real sample, and what was built, with stand-ins for pictures."""
    file = samples / "lvis" / "lvis_val_100.json"
    folder = tmp_path_factory.mktemp("lvis") / "coco" / "val2017"
    folder.mkdir(parents=True)
    for each in json.loads(file.read_bytes())["images"]:
        Image.new("L", (each["width"], each["height"])).save(folder / f"{each['id']:012}.jpg")
    request = {"paths": {"val": str(file)}, "tasks": ASKED}
    root = folder.parent.parent
    return SecondReader(file), build_source("lvis", root, request=request, guard=False)


@pytest.fixture(scope="module")
def coco(tinycoco, build_source):
    """The second reader of COCO's real sample, and what was built with its pictures."""
    request = {"splits": ("train",), "tasks": ASKED}
    file = tinycoco / "coco" / "annotations" / "instances_train2017.json"
    return SecondReader(file), build_source("coco", tinycoco, request=request, guard=False)


@pytest.fixture(scope="module", params=["lvis", "coco"])
def case(request):
    return request.getfixturevalue(request.param)


def test_no_is_said_of_what_the_owner_rules_out(case):
    reader, output = case
    answers: Counter[str] = Counter()
    for image, (region,), question, answer in turns(output, YES_NO):
        answers[answer] += 1
        name, category = reader.named(question), reader.categories[region["region_id"]]
        if answer == "yes":
            assert name == category
            continue
        known = reader.known(image)
        others = {
            other
            for other, boxes in known.items()
            if other != category and max(inside(box, region["bbox"]) for box in boxes) <= HALF
        }
        assert name in others or (not others and (image, name) in reader.absent)
    assert set(answers) == {"yes", "no"}
    assert abs(answers["yes"] - answers["no"]) < 0.2 * answers.total()


def test_every_class_that_is_complete_is_counted_and_no_other(case):
    reader, output = case
    counted: dict[str, dict[str, int]] = {}
    for image, regions, question, answer in turns(output, COUNT):
        assert not regions
        name = reader.named(question)
        assert name not in counted.setdefault(image, {})
        counted[image][name] = int(answer)
    for image in {image for image, _ in reader.boxes}:
        numbers = {name: len(boxes) for name, boxes in reader.known(image).items()}
        zeros = counted.get(image, {}).keys() - numbers.keys()
        assert {name: counted[image][name] for name in numbers} == numbers
        assert len(zeros) == any(number == image for number, _ in reader.absent)
        assert all(counted[image][name] == 0 for name in zeros)
        assert zeros <= {name for number, name in reader.absent if number == image}
    assert sum(map(len, counted.values())) > 20


def test_each_of_several_regions_has_its_own_class(case):
    reader, output = case
    number = 0
    for _, regions, _, answer in turns(output, SEVERAL):
        names = re.findall(r"Region \[\d+\]: (.+?)(?:; |$)", answer)
        assert names == [reader.categories[region["region_id"]] for region in regions]
        number += 1
    assert number > 5


def test_the_output_is_sound_and_its_ledger_balances(case):
    _, output = case
    output.ledger()
    assert verify(str(output.folder)).problems == []
    assert output.ledger().sources


def test_lists_that_cannot_be_read_leave_their_images_without_questions(
    samples, tmp_path, build_source, lvis
):
    content = json.loads((samples / "lvis" / "lvis_val_100.json").read_bytes())
    described = {each["image_id"] for each in content["annotations"]}
    images = [each for each in content["images"] if each["id"] in described]
    images[0]["neg_category_ids"] = "none"
    del images[1]["not_exhaustive_category_ids"]
    images[2]["neg_category_ids"] = [1.5]
    faulty = {str(each["id"]) for each in images[:3]}
    file = tmp_path / "faulty.json"
    file.write_text(json.dumps(content))
    folder = tmp_path / "coco" / "val2017"
    folder.mkdir(parents=True)
    for each in images[:8]:
        Image.new("L", (each["width"], each["height"])).save(folder / f"{each['id']:012}.jpg")
    request = {"paths": {"val": str(file)}, "tasks": (COUNT,)}
    output = build_source("lvis", tmp_path, request=request, guard=False)
    assert {row["id"].split("/")[2] for row in output.rows()} == {
        str(each["id"]) for each in images[3:8]
    }
    assert ("image", min(faulty), "not_used") in output.rejected()


@pytest.fixture(scope="module")
def attributes(samples, tmp_path_factory, build_source):
    """Visual Genome's real attributes of version 1.2, and what was built, with stand-ins."""
    real, root = samples / "visual_genome" / "v1.2", tmp_path_factory.mktemp("vg")
    folder = root / "visual_genome"
    for name in ("VG_100K", "VG_100K_2"):
        (folder / name).mkdir(parents=True)
    for name in ("image_data", "region_descriptions", "attributes"):
        (folder / f"{name}.json").symlink_to(real / f"{name}.json")
    for each in json.loads((folder / "image_data.json").read_bytes()):
        path = folder / "/".join(each["url"].split("/")[-2:])
        Image.new("L", (each["width"], each["height"])).save(path)
    request = {"tasks": ("region_attribute",)}
    options = {"guard": False, "per_image": 10_000}
    output = build_source("visual_genome", root, request=request, **options)
    return json.loads((real / "attributes.json").read_bytes()), output, root


def test_attributes_are_those_of_the_owner(attributes):
    owner, output, _ = attributes
    stated = {
        f"attribute/{each['object_id']}": (str(record["image_id"]), each)
        for record in owner
        for each in record["attributes"]
    }
    asked: dict[str, str] = {}
    for image, (region,), _, answer in turns(output, "region_attribute"):
        number, each = stated[region["region_id"]]
        assert number == image
        words = list(dict.fromkeys(" ".join(value.split()) for value in each["attributes"]))
        assert answer == ", ".join(words)
        assert [pair["value"] for pair in region["attributes"]] == words
        assert {pair["name"] for pair in region["attributes"]} == {"attribute"}
        assert region["category"] == each["names"][0].strip()
        x, y, width, height = (each[side] for side in "xywh")
        clipped = [max(0, x), max(0, y), x + width, y + height]
        assert region["bbox"] == pytest.approx(clipped, abs=1)  # boxes may reach a pixel too far
        asked[region["region_id"]] = image
    with_words = {name for name, (_, each) in stated.items() if each.get("attributes")}
    corners = {
        name: [each["x"], each["y"], each["x"] + each["w"], each["y"] + each["h"]]
        for name, (_, each) in stated.items()
    }
    for name in with_words - asked.keys():  # another region of its object is asked about
        image = stated[name][0]
        overlaps = [
            union_share(corners[name], corners[k]) for k, number in asked.items() if number == image
        ]
        assert max(overlaps) > HALF - 0.02
    assert len(asked) > 50


def test_the_ledger_counts_attributes(attributes):
    owner, output, _ = attributes
    read = output.ledger().sources["visual_genome"]["train"]["read"]["attribute"]
    objects = [each for record in owner for each in record["attributes"]]
    without = sum(not each.get("attributes") for each in objects)
    assert (read.read, read.kept) == (len(objects), len(objects) - without)
    assert read.rejected == {"not_used": without}
    assert verify(str(output.folder)).problems == []


def test_without_the_file_of_attributes_the_build_is_refused(attributes, build_source):
    _, _, root = attributes
    request = {"tasks": ("region_attribute",), "paths": {"attributes": str(root / "none.json")}}
    with pytest.raises(UsageError, match=r"missing: .*none\.json"):
        build_source("visual_genome", root, request=request)


@pytest.mark.parametrize(
    ("source", "task"),
    [("v3det", YES_NO), ("v3det", COUNT), ("visual_genome", COUNT), ("refcocog", SEVERAL)],
)
def test_a_source_that_leaves_an_answer_open_is_refused(tmp_path, build_source, source, task):
    with pytest.raises(UsageError, match=f"'{source}' cannot be used for {task} here, but for: "):
        build_source(source, tmp_path, request={"tasks": (task,)})
