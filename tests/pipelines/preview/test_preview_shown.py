"""Preview: how records look in a terminal and on the page.

Length: one record, drawn by the same helpers, is looked at from all sides.
"""

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipelines.preview import print_samples, write_page
from pipelines.preview.assets import SCRIPT, STYLE
from pipelines.preview.page import render_page
from pipelines.sample_world.draw import draw, jpeg_bytes
from pipelines.sample_world.scene import make_scene
from schemas.columns import BuildStamp, Row, to_batch
from schemas.console import Console
from schemas.mask import Mask, from_pixels
from schemas.sample import Conversation, ImageInfo, Message, Region, Task

STAMP = BuildStamp(builder="builder 1", recipe="mix", seed=3)
HOSTILE = '<script>alert(1)</script> " onload="x [bold red]b[/] \x1b[31m\x9b2J\u202e :smile: &amp;'
ROW, COLUMN = np.mgrid[0:60, 0:80]
ROUND = (ROW - 30) ** 2 + (COLUMN - 40) ** 2 < 400
SPECKS = (ROW % 7 == 0) & (COLUMN % 5 == 0) & (COLUMN > 50)


DISC = Region("r", (20.5, 10.25, 60.1, 50.0), category="disc")


def record(
    name: str = "coco/train/1/t/0",
    image: bytes | None = None,
    *,
    path: str | None = "p.jpg",
    size: tuple[int, int] = (80, 60),
    licence: str = "CC",
    regions: tuple[Region, ...] = (DISC,),
    texts: tuple[str, str] = ("<image>\nWhat is <region1>?", "A disc."),
) -> dict[str, Any]:
    """One record as it comes out of a shard."""
    conversation = Conversation(
        id=name,
        turn_tasks=(Task.REGION_CLASSIFICATION,),
        regions=regions,
        messages=(Message("user", texts[0]), Message("assistant", texts[1])),
        prompts=("set/1",),
    )
    info = ImageInfo(
        source="coco",
        split="train",
        image_id="1",
        file_name=path,
        folder="",
        width=size[0] if path else None,
        height=size[1] if path else None,
        size_bytes=100,
        licence=licence,
        shards=1,
    )
    row = Row(info, path, conversation, (info.width, info.height))
    batch = to_batch([row], STAMP, pa.array([image], pa.binary()))
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows[0]


def printed(*records: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=240)
    print_samples(records, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_turns_and_regions():
    region = Region(
        "r", (1.0, 2.0, 3.5, 4.0), from_pixels(ROUND), 7.25, "disc", 0.91, "A round one."
    )
    text = printed(record(regions=(region,)))
    share = f"{100 * ROUND.sum() / ROUND.size:.3g}%"
    assert re.search(rf"1 +disc +1\.0 +2\.0 +3\.5 +4\.0 +{share} +7\.25 +0\.910 *\n", text)
    assert re.search(r"^ 1 +caption +A round one\. *$", text, re.MULTILINE)
    assert re.search(r"user +<image>", text)
    assert re.search(r"What is <region1>\?", text)
    assert re.search(r"assistant +A disc\.", text)


def hostile_record() -> dict[str, Any]:
    region = Region("r", (1.0, 2.0, 30.0, 40.0), category=HOSTILE, caption=HOSTILE)
    return record(
        f"id {HOSTILE}",
        path=f"{HOSTILE}.jpg",
        licence=HOSTILE,
        regions=(region,),
        texts=(f"<image>\n{HOSTILE} <region1> <region2> <region0>", HOSTILE),
    )


def test_hostile_text_is_inert_in_the_terminal():
    text = printed(hostile_record())
    shown = HOSTILE.encode("unicode_escape").decode()
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u202e]", text)) == {"\n"}
    assert text.count(shown) == 7  # id, path, licence, two messages, category, caption


def test_text_only_records_have_no_size_in_the_terminal():
    text = printed(record(path=None, regions=(), texts=("Hello?", "Hello.")))
    assert "text only" in text
    assert "None" not in text


@dataclass
class Page(HTMLParser):
    """What a browser would find in a page."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)  # by the element around them

    def __post_init__(self):
        super().__init__()
        self._open: list[str] = []
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        around = self._open[-1] if self._open else ""
        self.words[around] = self.words.get(around, "") + data

    def all(self, tag: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            attributes
            for name, attributes in self.tags
            if name == tag
            and wanted.items() <= {**attributes, "class": attributes.get("class")}.items()
        ]


def page(*records: dict[str, Any], image_root: str | None = None) -> Page:
    return Page(render_page(records, "Title", {"Rejected": {"crowd": "7"}}, image_root))


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def scene_jpeg(width: int = 80) -> bytes:
    return jpeg_bytes(draw(make_scene("preview", width=width, height=60, things=3)))


def test_the_page_fetches_nothing():
    regions = (Region("r", (1.0, 2.0, 30.0, 40.0), from_pixels(ROUND), category="disc"),)
    document = page(record(image=scene_jpeg(), regions=regions))
    links = {
        value
        for _, attributes in document.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background")
    }
    assert len(links) == 2
    assert all(re.match(r"data:image/(jpeg|png);base64,[\w+/=]+$", link or "") for link in links)
    assert not {"link", "base", "iframe", "object", "embed", "form"} & {
        tag for tag, _ in document.tags
    }
    assert not re.search(r"url\(|@import|https?:", STYLE + SCRIPT)


def test_the_policy_allows_our_script_alone():
    document = page(record())
    (policy,) = document.all("meta", **{"http-equiv": "Content-Security-Policy"})
    digest = base64.b64encode(hashlib.sha256(document.words["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy["content"]
    assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_hostile_text_is_inert_on_the_page():
    harmless, document = page(record()), page(hostile_record())
    assert {tag for tag, _ in document.tags} == {tag for tag, _ in harmless.tags}
    assert {name for _, some in document.tags for name in some} == {
        name for _, some in harmless.tags for name in some
    }
    assert document.words["script"] == SCRIPT
    shown = HOSTILE.encode("unicode_escape").decode()
    assert document.words["p"].count(shown) == 2
    assert document.words["h2"].endswith(f" id {shown}")
    assert document.all("mark", title=shown)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", document.text)


def test_region_tokens_are_linked_and_others_stay_words():
    region = Region("r", (1.0, 2.0, 30.0, 40.0), category="disc")
    document = page(
        record(regions=(region,), texts=("<image>\n<region1> <region2> <image2>", "It."))
    )
    assert [mark.get("data-region") for mark in document.all("mark")] == [None, "1"]
    assert document.words["mark"] == "<image><region1>"
    assert "<region2> <image2>" in document.words["p"]
    lit = {tag for tag, attributes in document.tags if attributes.get("data-region") == "1"}
    assert lit == {"mark", "g", "span", "li"}


def test_boxes_are_those_of_the_record():
    boxes = [(20.5, 10.25, 60.1, 50.0), (0.0, 0.0, 80.0, 60.0), (79.3, 1 / 3, 79.9, 59.99)]
    made = record(regions=tuple(Region(str(k), box) for k, box in enumerate(boxes)))
    document = page(made)
    (frame,) = document.all("svg")
    assert frame["viewbox"] == "0 0 80 60"
    groups = [attributes["data-region"] for attributes in document.all("g")]
    rectangles = {}
    for number, rect in zip(groups, document.all("rect", **{"class": "box"}), strict=True):
        x, y, width, height = (float(rect[name]) for name in ("x", "y", "width", "height"))
        rectangles[int(number)] = [x, y, x + width, y + height]
    assert groups == ["2", "1", "3"]  # large ones below
    assert [rectangles[k] for k in (1, 2, 3)] == [region["bbox"] for region in made["regions"]]


@pytest.mark.parametrize("pixels", [ROUND, SPECKS, ROUND | True, ROW + COLUMN == 0])
def test_mask_overlays_cover_the_mask_exactly(pixels):
    region = Region("r", (1.0, 2.0, 30.0, 40.0), from_pixels(pixels))
    document = page(record(regions=(region,)))
    (overlay,) = document.all("image")
    x, y, width, height = (int(overlay[name]) for name in ("x", "y", "width", "height"))
    opacity = np.asarray(opened(overlay["href"]).convert("RGBA"))[..., 3]
    covered = np.zeros((60, 80), dtype=bool)
    covered[y : y + height, x : x + width] = opacity > 0
    assert opacity.shape == (height, width)
    assert np.array_equal(covered, from_pixels(pixels).pixels())


def test_an_empty_mask_has_no_overlay():
    region = Region("r", (1.0, 2.0, 30.0, 40.0), from_pixels(ROUND & False))
    assert page(record(regions=(region,))).all("image") == []


@pytest.mark.parametrize("counts", ["~~~", "0", "", "PPPPPPPPPPPPPPPP"])
def test_a_bad_mask_costs_only_itself(counts):
    regions = (
        Region("r", (1.0, 2.0, 30.0, 40.0), Mask(height=60, width=80, counts=counts)),
        Region("s", (1.0, 2.0, 30.0, 40.0), from_pixels(ROUND)),
    )
    made = record(regions=regions)
    assert len(page(made).all("image")) == 1
    assert "unreadable" in printed(made)


def test_a_picture_that_cannot_be_shown_leaves_its_path_and_boxes(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.jpg").write_bytes(scene_jpeg())
    (tmp_path / "root" / "text.jpg").write_text("no picture", encoding="utf-8")
    (tmp_path / "root" / "other.jpg").write_bytes(scene_jpeg(90))
    root = str(tmp_path / "root")
    for path, image_root, reason in [
        ("p.jpg", None, "give --image-root"),
        ("gone.jpg", root, "cannot read"),
        ("../outside.jpg", root, "expected a path below"),
        ("text.jpg", root, "image_not_an_image"),
        ("other.jpg", root, "is 90 × 60 pixels"),
    ]:
        document = page(record(path=path), image_root=image_root)
        assert document.all("img") == []
        assert path in document.words["b"]
        assert reason in document.words["div"]
        assert len(document.all("rect", **{"class": "box"})) == 1


def test_text_only_records_have_no_figure():
    document = page(record(path=None, regions=(), texts=("Hello?", "Hello.")))
    assert document.all("figure") == document.all("svg") == document.all("ol") == []
    assert "Hello?Hello." in document.words["p"]


def test_the_page_is_written_whole_and_the_same_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = record(image=scene_jpeg())
    write_page([made], "page.html", "Title", {"Rejected": {"crowd": "7"}})
    first = (tmp_path / "page.html").read_bytes()
    write_page([made], tmp_path / "page.html", "Title", {"Rejected": {"crowd": "7"}})
    assert (tmp_path / "page.html").read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    document = Page(first.decode())
    assert "crowd" in document.words["dt"]
    assert "7" in document.words["dd"]


CHOICES = [f"choice {number} {HOSTILE}" for number in range(4)]


@pytest.mark.parametrize(
    ("evaluation", "right", "wrong"),
    [
        ({"references": [CHOICES[2]], "choices": CHOICES, "label": 2}, 1, 3),
        ({"references": [], "choices": [*"abcdefghijk"], "label": 10}, 1, 0),
        ({"references": CHOICES, "choices": [], "label": None}, 4, 0),
        ({}, 0, 0),
    ],
)
def test_the_answers_of_an_evaluation(evaluation, right, wrong):
    entry = {"turn": 0, "position": 0, "item_id": "7", "group": "g", **evaluation}
    scored = record() | {"evaluation": [entry] if evaluation else []}
    shown = printed(scored)
    assert len(re.findall(r"^right  ", shown, re.MULTILINE)) == right
    assert len(re.findall(r"^wrong  ", shown, re.MULTILINE)) == wrong
    assert "\x1b[31m" not in shown
    html = render_page([scored], "t", {})
    assert html.count('<li class="right">') == right
    assert html.count('<li class="wrong">') == wrong
    assert "<script>alert(1)" not in html
