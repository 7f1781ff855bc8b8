"""What users get wrong, or take to extremes, through each way of asking: one clear message each.

The page is driven below gradio, by its sketch; what gradio shows of a message is tested beside it.
"""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from model.errors import InputError
from model.serve.opened import MOST_REGIONS
from model.serve.web.sketch import Sketch
from schemas.errors import RegionForgeError
from tests.model.serve.requests import posted
from train.serve.opening import open_model

BOX = (1, 2, 31, 22)
OUTSIDE = (1000, 2, 1030, 40)
QUESTION = "What is region1?"
TEXT = "the picture is no JPEG, PNG, GIF, WEBP or BMP file, or its header is damaged"


@pytest.fixture
def through_chat(tiny_models, say, monkeypatch) -> Callable[..., str]:
    """Asks by `chat`, and returns the answer or the message."""

    def ask(picture, regions, question=QUESTION):
        monkeypatch.setattr("sys.stdin", io.StringIO(question))
        words = ["--checkpoint", tiny_models["regiongpt"], "--image", picture]
        for region in regions:
            words += ["--region", ",".join(map(str, region))]
        status, out, err = say("chat", *words, "--max-new-tokens", 2)
        assert (status == 0) == (err == "")
        assert "Traceback" not in err
        assert err.count("\n") <= 1
        return out or err

    return ask


@pytest.fixture
def through_answer(tiny_models, say, tmp_path) -> Callable[..., str]:
    """Asks by `answer`, and returns the first answer or its reason, or the message."""

    def ask(picture, regions, question=QUESTION):
        boxes = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in regions]
        content = {
            "images": [{"id": 1, "file_name": picture.name}],
            "annotations": [{"id": n, "image_id": 1, "bbox": box} for n, box in enumerate(boxes)],
        }
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        words = ["--checkpoint", tiny_models["regiongpt"], "--images", picture.parent]
        words += ["--regions", path, "--question", question, "--output", tmp_path / "out"]
        status, _, err = say("answer", *words, "--max-new-tokens", 2, "--workers", 0)
        assert "Traceback" not in err
        if not (tmp_path / "out" / "answers.jsonl").exists():
            assert status != 0
            return err
        lines = (tmp_path / "out" / "answers.jsonl").read_bytes().splitlines()
        assert len(lines) == len(regions)
        first = json.loads(lines[0])
        return first["answer"] if first["reason"] is None else first["reason"]

    return ask


@pytest.fixture(scope="module")
def opened(tiny_models):
    return open_model(tiny_models["regiongpt"], device="cpu")


@pytest.fixture
def through_server(opened) -> Callable[..., str]:
    """Asks by a request to the server, and returns the answer or the message."""

    def ask(picture, regions, question=QUESTION):
        data = base64.b64encode(picture.read_bytes()).decode()
        content = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
            {"type": "text", "text": question},
        ]
        body = {"model": "tiny", "max_tokens": 2, "regions": list(regions)}
        messages = [{"role": "user", "content": content}]
        status, reply = posted(opened, {**body, "messages": messages})
        assert status in (200, 400)
        return (
            reply["choices"][0]["message"]["content"]
            if status == 200
            else reply["error"]["message"]
        )

    return ask


@pytest.fixture
def through_page(opened) -> Callable[..., str]:
    """Asks by the sketch of the page, and returns the answer or the message."""

    def ask(picture, regions, question=QUESTION):
        sketch = Sketch()
        try:
            sketch.open(picture)
            across, down = sketch.scale
            for x0, y0, x1, y1 in regions:
                sketch.click(int(x0 / across), int(y0 / down))
                sketch.click(int(x1 / across) - 1, int(y1 / down) - 1)
            return sketch.ask(opened, question, 2)
        except RegionForgeError as error:
            return str(error)

    return ask


@pytest.fixture(params=["chat", "answer", "server", "page"])
def way(request) -> str:
    name: str = request.param
    return name


@pytest.fixture
def ask(way, request) -> Callable[..., str]:
    function: Callable[..., str] = request.getfixturevalue(f"through_{way}")
    return function


@pytest.fixture(scope="module")
def small(photos) -> Path:
    return Path(photos / "0.png")


def test_a_region_outside_the_picture(ask, small):
    assert "has no part in a 64 x 48 image" in ask(small, [OUTSIDE])


def test_no_region(ask, way, small):
    message = ask(small, [], "What is <region1>?")
    expected = (
        "no annotations: nothing is asked about" if way == "answer" else "there are no regions"
    )
    assert expected in message


def test_a_hundred_regions_are_taken_and_one_more_is_not(ask, way, small):
    many = "region1 and region100"
    if way == "answer":  # a question each
        assert "error" not in ask(small, [BOX] * (MOST_REGIONS + 1))
        return
    answer = ask(small, [BOX] * MOST_REGIONS, many)
    assert "regions" not in answer
    assert "expected" not in answer
    message = ask(small, [BOX] * (MOST_REGIONS + 1), many)
    assert "101 regions, expected 100 at most" in message


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A picture of 50 megapixels."""
    path: Path = tmp_path_factory.mktemp("large") / "large.png"
    Image.new("L", (10_000, 5_000), 90).save(path)
    return path


def test_a_picture_of_fifty_megapixels_is_asked_about(ask, large, small):
    answer = ask(large, [(9_000, 4_000, 10_000, 5_000)])
    assert "expected" not in answer
    assert "at most" not in answer


def test_a_picture_beyond_the_limit(ask, tmp_path):
    path = tmp_path / "larger.png"
    Image.new("1", (10_000, 8_001)).save(path)
    assert "a picture of 10000 x 8001 pixels, at most 80000000 in all" in ask(path, [BOX])


def test_a_text_file_as_a_picture(ask, tmp_path):
    path = tmp_path / "words.png"
    path.write_text("just words", encoding="utf-8")
    assert TEXT in ask(path, [BOX])


def test_the_python_call_says_the_same(opened, small, tmp_path):
    path = tmp_path / "words.png"
    path.write_text("just words", encoding="utf-8")
    with pytest.raises(InputError, match="the picture is no JPEG"):
        opened.talk(path)
    with pytest.raises(InputError, match="has no part in a 64 x 48 image"):
        opened.talk(small, [OUTSIDE])
