"""RefCOCO's own files, damaged: what is bad goes with its reason, and all else comes through.

Two pictures, 7 in train and 8 in testA, with two refs of two sentences each.

Length: one table of all that can be bad.
"""

import json
import os
import pickle
import re
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.sample_world.python2 import pickled
from schemas.errors import BuildError, InputFileError

CATEGORIES: list[dict[str, Any]] = [{"id": 1, "name": "cup"}, {"id": 2, "name": "bowl"}]
GOOD = {
    f"{word} {thing} {number}"
    for number in (7, 8)
    for thing in ("cup", "bowl")
    for word in ("left", "far")
}


class Owner:
    """A data root with RefCOCO's two files, written by `save`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refs: list[Any] = []
        self.boxes: dict[str, list[Any]] = {
            "images": [],
            "annotations": [],
            "categories": deepcopy(CATEGORIES),
        }
        for number, split in ((7, "train"), (8, "testA")):
            self.picture(number)
            for category in CATEGORIES:
                annotation = number * 10 + category["id"]
                self.box(annotation, number, category["id"])
                self.ref(annotation, number, split, category["name"])

    def picture(self, number):
        path = self.root / "coco" / "train2014" / f"COCO_train2014_{number:012}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
        item = {"id": number, "file_name": path.name, "width": 64, "height": 48}
        self.boxes["images"].append(item)

    def box(self, number, image, category, **changes):
        item = {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": [20 * category, 6.5, 15, 10],
            "iscrowd": 0,
            "segmentation": [],
        }
        self.boxes["annotations"].append(item | changes)

    def ref(self, annotation, image, split, thing):
        sentences = [
            {
                "tokens": [word, thing, str(image)],
                "raw": f"{word} {thing} {image}!",
                "sent_id": annotation * 10 + place,
                "sent": f"{word} {thing} {image}",
            }
            for place, word in enumerate(("left", "far"))
        ]
        self.refs.append(
            {
                "ref_id": annotation,
                "ann_id": annotation,
                "image_id": image,
                "category_id": 1,
                "file_name": f"COCO_train2014_{image:012}_0.jpg",
                "split": split,
                "sent_ids": [sentence["sent_id"] for sentence in sentences],
                "sentences": sentences,
            }
        )

    def save(self, content=None):
        folder = self.root / "refcoco"
        folder.mkdir(exist_ok=True)
        refs = pickle.dumps(self.refs, 2) if content is None else content
        (folder / "refs(unc).p").write_bytes(refs)
        (folder / "instances.json").write_text(json.dumps(self.boxes), encoding="utf-8")
        return self.root


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path / "root")


def sentences(output):
    """The sentences that came through."""
    return {
        message["content"]
        for row in output.rows()
        if row["task"] == "region_caption"
        for message in row["messages"][1::2]
    }


def rejected(output):
    """What was rejected, or left out with its image."""
    lines = Counter((kind, reason) for kind, _, reason in output.rejected())
    return lines + Counter({(kind, "with_image"): n for kind, n in output.with_image().items()})


def ref(**changes):
    """Change the first ref, 71, about the cup of picture 7; None drops a key."""

    def damage(owner):
        changed = owner.refs[0] | changes
        owner.refs[0] = {key: value for key, value in changed.items() if value is not None}

    return damage


def sentence(**changes):
    """Change the first sentence of that ref."""

    def damage(owner):
        changed = owner.refs[0]["sentences"][0] | changes
        stated = {key: value for key, value in changed.items() if value is not None}
        owner.refs[0]["sentences"][0] = stated

    return damage


def added(*items):
    return lambda owner: owner.refs.extend(items)


def box(**changes):
    """Change the box of the first ref."""
    return lambda owner: owner.boxes["annotations"][0].update(changes)


KEYS = ("ref_id", "ann_id", "image_id", "split")
CUP = {"left cup 7", "far cup 7"}
LEFT = {"left cup 7"}
ONE = {("sentence", "malformed"): 1}
TWO = {("sentence", "malformed"): 2}
# Name: damage, what is rejected, which sentences are lost with it.
CASES = {
    **{f"no {key}": (ref(**{key: None}), TWO, CUP) for key in KEYS},
    "no sentences": (ref(sentences=None), ONE, CUP),
    "an empty list of sentences": (ref(sentences=[]), ONE, CUP),
    "another split": (ref(split="test"), TWO, CUP),
    "text for an ann_id": (ref(ann_id="71"), TWO, CUP),
    "a huge ref_id": (ref(ref_id=10**5_000), TWO, CUP),
    "a negative image_id": (ref(image_id=-7), TWO, CUP),
    "a ref that is a number": (added(5), ONE, ()),
    "a ref that is nothing": (added(None), ONE, ()),
    "a ref that is a list": (added([1, 2]), ONE, ()),
    "an empty ref": (added({}), ONE, ()),
    "unknown ann_id": (ref(ann_id=99), {("sentence", "unknown_region"): 2}, CUP),
    "ann_id of another image": (ref(ann_id=81), {("sentence", "unknown_region"): 2}, CUP),
    "unknown image_id": (ref(image_id=99), {("sentence", "unknown_image"): 2}, CUP),
    "a sentence without text": (sentence(sent=None), ONE, LEFT),
    "a sentence without id": (sentence(sent_id=None), ONE, LEFT),
    "a blank sentence": (sentence(sent=" "), {("sentence", "text_empty"): 1}, LEFT),
    "the same sentence twice": (
        sentence(sent="far cup 7"),
        {("sentence", "duplicate"): 1},
        LEFT,
    ),
    "the same sentence id twice": (
        sentence(sent_id=711),
        {("sentence", "duplicate_id"): 1},
        LEFT,
    ),
    "a box that is malformed": (
        box(bbox=[1, 2]),
        {("annotation", "malformed"): 1, ("sentence", "unknown_region"): 2},
        CUP,
    ),
    "a box without width": (
        box(bbox=[1, 2, 0, 4]),
        {("annotation", "box_zero_area"): 1, ("sentence", "region_rejected"): 2},
        CUP,
    ),
    "a crowd": (
        box(iscrowd=1),
        {("annotation", "crowd"): 1, ("sentence", "region_rejected"): 2},
        CUP,
    ),
    "a box without category": (
        box(category_id=9),
        {("annotation", "unknown_category"): 1, ("sentence", "unknown_region"): 2},
        CUP,
    ),
    "a box without image": (
        lambda owner: owner.boxes["annotations"].append({"id": 5}),
        {("annotation", "malformed"): 1},
        (),
    ),
    "a box of an image of no split": (lambda owner: owner.box(991, 99, 1), {}, ()),
    "an image of no split": (lambda owner: owner.boxes["images"].append({"id": 99}), {}, ()),
    "an image without id": (
        lambda owner: owner.boxes["images"].append({"width": 64}),
        {("image", "malformed"): 1},
        (),
    ),
    "an image with a size that is no number": (
        lambda owner: owner.boxes["images"][0].update(width={"pixels": 48}),
        {
            ("image", "malformed"): 1,
            ("annotation", "with_image"): 2,
            ("sentence", "with_image"): 4,
        },
        {text for text in GOOD if text.endswith("7")},
    ),
}


@pytest.mark.parametrize(("damage", "expected", "lost"), CASES.values(), ids=CASES)
def test_what_is_bad_goes_alone(owner, build_source, damage, expected, lost):
    damage(owner)
    output = build_source("refcoco", owner.save())
    left_out = rejected(output)
    left_out.pop(("annotation", "not_used"), None)
    assert left_out == Counter(expected)
    assert sentences(output) == GOOD - set(lost)
    output.ledger()


@pytest.mark.parametrize("order", [1, -1])
def test_a_ref_id_twice_leaves_one_whatever_the_order(owner, build_source, order):
    again = deepcopy(owner.refs[0])
    again["ann_id"] = 72
    owner.refs = [*owner.refs, again][::order]
    output = build_source("refcoco", owner.save())
    assert rejected(output)["sentence", "duplicate_id"] == 2
    assert sentences(output) == GOOD
    told = [row["regions"][0]["region_id"] for row in output.rows("refcoco/train*") if row["task"]]
    assert "71" in told


def test_parts_change_nothing_of_what_is_rejected(owner, build_source, in_parts):
    for damage, _, _ in list(CASES.values())[10:20:3]:
        damage(owner)
    one = build_source("refcoco", owner.save())
    other = build_source("refcoco", owner.root, launch_options=in_parts)
    assert one.rejected() == other.rejected()
    assert one.digests() == other.digests()


class Touch:
    """Makes a file where it is unpickled without care."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


def files(tmp_path):
    nested = b"]" * 10_000 + b"a" * 9_999 + b"."
    first = b"}(\x8c\x09sentences](" + b"K\x01" * 2_000 + b"eq\x00u"
    repeating = b"](" + first + b"}(\x8c\x09sentencesh\x00u" * 500 + b"e."  # all share its list
    return {
        "system": (pickle.dumps([Touch(tmp_path / "ran")], 2), "system"),
        "system, as Python 2 would": (pickle.dumps([Touch(tmp_path / "ran")], 0), "system"),
        "deep": (nested, "nests deeper than"),
        "cut short": (pickled([{"ref_id": 1}])[:-1], "cut short"),
        "empty": (b"", "cut short"),
        "a dictionary": (pickle.dumps({"refs": []}, 2), "holds a dict, expected a list of refs"),
        "text": (pickle.dumps("refs", 2), "holds a str, expected a list of refs"),
        "repeating": (repeating, "repeats itself"),
        "no pickle": (b"?refs", "no instruction"),
        "JSON cut short": (b'[{"ref_id": 1}', "not a whole list of refs in JSON"),
        "several objects": (b'[{"ref_id": 1, "ann_id": [7, 8]}]', "is gRefCOCO's, or like it"),
        "no object": (pickle.dumps([{"ref_id": 1, "ann_id": [-1]}], 2), "is gRefCOCO's"),
    }


@pytest.mark.parametrize("name", files(Path("/")))
def test_a_file_that_cannot_be_used_is_named_with_its_cause(owner, build_source, tmp_path, name):
    content, cause = files(tmp_path)[name]
    with pytest.raises(BuildError, match=r"refs\(unc\)\.p") as refusal:
        build_source("refcoco", owner.save(content), guard=False)
    assert re.search(cause, str(refusal.value))
    assert not (tmp_path / "ran").exists()


def test_instances_that_cannot_be_used_are_named(owner, build_source):
    root = owner.save()
    (root / "refcoco" / "instances.json").write_text('{"images": []}', encoding="utf-8")
    with pytest.raises(InputFileError, match=r"instances\.json .*not a whole COCO annotation file"):
        build_source("refcoco", root)
