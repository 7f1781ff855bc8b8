"""The formats of chats: their files, read back independently, give the records of the build."""

import json
import re
from collections import Counter

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.export import losses
from pipelines.export.boxes import in_thousandths, resized_size
from pipelines.export.chat import share_gpt, turns, turns_with_boxes

BOX = re.compile(r"\[(\d[\d.]*, \d[\d.]*, \d[\d.]*, \d[\d.]*)\]")
ROLES = {"human": "user", "gpt": "assistant"}


def padded(values, width, height):
    side = max(width, height)
    offsets = ((side - width) // 2, (side - height) // 2)
    return [v * side - offset for v, offset in zip(values, offsets * 2, strict=True)]


def thousandths(values, width, height):
    return [v * side / 1000 for v, side in zip(values, (width, height) * 2, strict=True)]


def resized(values, width, height):
    sizes = zip(values, (width, height) * 2, resized_size(width, height) * 2, strict=True)
    return [v * side / new for v, side, new in sizes]


def stored(values, width, height):
    return values


TEXTUAL = [  # format, further request, inverse of the form of boxes
    ("llava", {}, padded),
    ("qwen", {}, thousandths),
    ("qwen", {"coordinates": "pixels"}, resized),
    ("llamafactory", {}, thousandths),
    ("llamafactory", {"coordinates": "pixels"}, resized),
    ("swift", {}, stored),
]


def entries(written):
    """Every conversation, with the folder's path of its file."""
    for path in sorted(written.folder.glob("*/*.json*")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            yield from json.loads(text)
        else:
            yield from map(json.loads, text.splitlines())


def plain(entry):
    """Roles, texts with `<box>` for each box, all boxes in order, and the pictures."""
    turns = [
        (turn.get("role") or ROLES[turn["from"]], turn.get("content", turn.get("value")))
        for turn in entry.get("messages") or entry["conversations"]
    ]
    one = [entry["image"]] if "image" in entry else []
    pictures = entry.get("images", one)
    if "objects" in entry:
        boxes = entry["objects"]["bbox"]
        return [(role, text.replace("<bbox>", "<box>")) for role, text in turns], boxes, pictures
    boxes = [list(map(float, m.split(", "))) for _, text in turns for m in BOX.findall(text)]
    return [(role, BOX.sub("<box>", text)) for role, text in turns], boxes, pictures


@pytest.mark.parametrize(("name", "request_", "inverse"), TEXTUAL)
def test_a_record_comes_back(build, export, records, name, request_, inverse):
    written = export(build, format=name, **request_)
    left = dict(records)
    for entry in entries(written):
        record = left.pop(entry["id"])
        shown, boxes, pictures = plain(entry)
        content = [(turn["role"], turn["content"]) for turn in record["messages"]]
        assert shown == [(role, re.sub(r"<region\d+>", "<box>", text)) for role, text in content]
        numbers = [int(n) for _, text in content for n in re.findall(r"<region(\d+)>", text)]
        size = record["width"], record["height"]
        # Half a pixel; or half a pixel of the resized picture, where that is more.
        near = max(inverse((0.5, 0.5, 0.5, 0.5), *size)) if inverse is resized and boxes else 0.5
        for box, number in zip(boxes, numbers, strict=True):
            assert inverse(box, *size) == pytest.approx(
                record["regions"][number - 1]["bbox"], abs=near + 1e-6
            )
        assert len(pictures) == (record["image"] is not None)
        for picture in pictures:
            assert (written.folder / picture).read_bytes() == record["image"]["bytes"]
            with Image.open(written.folder / picture) as image:
                assert image.size == size
        assert (entry["source"], entry["licence"]) == (record["source"], record["licence"])
    assert left == {}


@pytest.mark.parametrize("name", ["llava", "qwen", "llamafactory", "swift"])
def test_what_is_lost_is_counted(build, export, records, name):
    written = export(build, format=name)
    regions = [region for record in records.values() for region in record["regions"]]
    lost = written.summary()["lost"]
    assert lost[losses.MASKS] == sum(region["mask"] is not None for region in regions) > 0
    assert lost[losses.CATEGORIES] == sum(region["category"] is not None for region in regions)
    assert lost[losses.PROVENANCE] == len(records) == written.summary()["records"]
    for what, number in lost.items():
        assert f"- {number:,} {what}" in (written.folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["llava", "qwen", "llamafactory", "swift"])
def test_datasets_reads_the_files(build, export, records, name, tmp_path):
    """ms-swift and LLaMA-Factory read JSON by this library."""
    written = export(build, format=name, config="refcocog", split="train")
    (file,) = written.folder.glob("refcocog/train.json*")
    data = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path))
    assert set(data["id"]) == {i for i in records if i.startswith("refcocog/train/")} != set()


def test_llamafactory_is_told_of_each_file(build, export, records):
    folder = export(build, format="llamafactory").folder
    info = json.loads((folder / "dataset_info.json").read_bytes())
    assert info.keys() == {f"{r['source']}_{r['split']}" for r in records.values()}
    for name, entry in info.items():
        conversation = json.loads((folder / entry["file_name"]).read_bytes())[0]
        assert conversation["id"].split("/")[:2] == name.rsplit("_", 1)
        assert entry["formatting"] == "sharegpt"
        assert set(entry["columns"].values()) <= conversation.keys()
        first = conversation[entry["columns"]["messages"]][0]
        assert first[entry["tags"]["role_tag"]] == entry["tags"]["user_tag"]
        assert first[entry["tags"]["content_tag"]]


def record_of(text, *boxes, role="user"):
    regions = [{"bbox": list(box)} for box in boxes]
    messages = [{"role": role, "content": text}]
    return {"width": 100, "height": 100, "regions": regions, "messages": messages}


def test_boxes_that_rounding_makes_useless_are_counted():
    lost: Counter[str] = Counter()
    boxes = (1.0, 1.0, 1.01, 9.0), (1.01, 1.0, 1.02, 9.0), (5.0, 5.0, 9.0, 9.0)
    ((_, text),) = turns_with_boxes(record_of("<region1> <region3>", *boxes), in_thousandths, lost)
    assert text == "[10, 10, 10, 90] [50, 50, 90, 90]"
    assert (lost[losses.THIN], lost[losses.ALIKE]) == (2, 1)
    twice = record_of("<region1>", boxes[2], boxes[2])
    turns_with_boxes(twice, in_thousandths, lost)
    assert lost[losses.ALIKE] == 1  # of the same box, nothing is lost


def test_foreign_placeholders_are_disarmed_and_counted():
    lost: Counter[str] = Counter()
    text = "<image> <video> <region1> <ref-object><audio>"
    ((_, shown),) = turns(record_of(text, (0, 0, 1, 1)), lambda number: "<bbox>", lost)
    assert shown == "<image> (video) <bbox> (ref-object)(audio)"
    assert lost[losses.DISARMED] == 3


def test_system_messages_are_counted_where_there_is_no_role_for_them():
    lost: Counter[str] = Counter()
    shown = share_gpt([("system", "Be kind."), ("user", "Hello"), ("assistant", "Hi")], lost)
    assert shown == [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]
    assert lost[losses.SYSTEM] == 1
