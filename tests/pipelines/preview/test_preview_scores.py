"""Areas, attributes, captions and scores of regions as `preview` shows them."""

import io
import re
from typing import Any

from pipelines.preview import print_samples
from pipelines.preview.page import render_page
from schemas.console import Console


def caption(text: str, clip: float, least: float, judge: float | None) -> dict[str, Any]:
    return {"kind": "sentence", "text": text, "clip": clip, "clip_min": least, "judge": judge}


def region(name: str, *captions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    plain = {"mask": None, "area": None, "category": "disc", "score": None, "caption": None}
    box = {"region_id": name, "bbox": [1.0, 2.0, 30.0, 40.0], "attributes": []}
    return box | plain | fields | {"captions": list(captions)}


def record(*regions: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "coco/train/1/t/0",
        "source": "coco",
        "split": "train",
        "licence": "CC",
        "task": "region_caption",
        "turn_tasks": ["region_caption"],
        "evaluation": [],
        "image": {"bytes": None, "path": "p.jpg"},
        "width": 80,
        "height": 60,
        "image_hash": None,
        "regions": list(regions),
        "messages": [
            {"role": "user", "content": "<image>\nWhat is <region1>?"},
            {"role": "assistant", "content": "A disc."},
        ],
        "provenance": {"builder": "builder 1"},
    }


def test_areas_attributes_and_further_captions():
    attributes = [{"name": "colour", "value": "red"}, {"name": "shape", "value": "ro\x1bund"}]
    texts = caption("A round one.", 0.5, 0.25, None), caption("a \x1bdisc", 0.9, 0.9, 0.75)
    made = region("r", *texts, caption="A round one.", area=1234.5, attributes=attributes)
    shown = record(made, region("s")) | {"image_hash": "xxh128:00ff"}
    text = printed(shown)
    assert re.search(r"area +CLIP +least CLIP", text)
    assert re.search(r"1234\.5 +0\.500 +0\.250 *\n", text)
    assert re.search(r"^ 1 +attributes +colour: red, shape: ro\\x1bund *$", text, re.MULTILINE)
    assert re.search(r"^ 1 +caption +A round one\. *$", text, re.MULTILINE)
    assert re.search(r"^ 1 +sentence, CLIP 0\.900, +a \\x1bdisc *$", text, re.MULTILINE)
    assert re.search(r"^ +least CLIP 0\.900, judge *$", text, re.MULTILINE)
    assert "xxh128:00ff" in text
    page = render_page([shown], "t", {})
    assert " · area 1234.5 · " in page
    captions = re.findall(r'class="caption">([^<]*)<', page)
    assert [each.partition(":")[0] for each in captions] == [
        "colour",
        "A round one.",
        "sentence, CLIP 0.900, least CLIP 0.900, judge 0.750",
    ]
    assert re.search(r"<dt>image hash</dt><dd>xxh128:00ff</dd>", page)


def printed(shown: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=240)
    print_samples([shown], console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_scores_stand_beside_the_caption_that_they_are_of():
    texts = caption("a disc", 0.9, 0.9, None), caption("A round one.", 0.3125, 0.25, 0.75)
    shown = record(
        region("r", *texts, score=0.5, caption="A round one."),
        region("s", score=0.625),
        region("t"),
    )
    text = printed(shown)
    assert re.search(r"score +CLIP +least CLIP +judge *\n", text)
    assert re.search(r" 0\.500 +0\.312 +0\.250 +0\.750 *\n", text)
    assert re.search(r"^ 1 +caption +A round one\. *$", text, re.MULTILINE)
    assert re.search(r" 0\.625 *\n", text)
    assert "CLIP" not in printed(record(region("s", score=0.625)))
    notes = re.findall(r'class="notes">([^<]*)<', render_page([shown], "t", {}))
    assert [note.split(" · ")[1:] for note in notes] == [
        ["score 0.500", "CLIP 0.312", "least CLIP 0.250", "judge 0.750"],
        ["score 0.625"],
        [],
    ]
