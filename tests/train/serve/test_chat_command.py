"""`regionforge chat`: what it answers, and what it says of mistakes."""

import io
import json

import pytest
from PIL import Image

import regionforge
from schemas.visible import visible
from train.serve.opening import open_model

BOX = "1,2,31,22"


@pytest.fixture
def typed(monkeypatch):
    """Sets the lines of standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("kind", ["regiongpt", "gpt4roi"])
def test_it_answers_as_the_python_call_does(kind, tiny_models, photos, say, typed):
    typed("What is region1?\nAnd region2?\n/new\nAnd region2?\n")
    words = ["--checkpoint", tiny_models[kind], "--image", photos / "0.png"]
    words += ["--region", BOX, "--region", "20,10,60,40", "--max-new-tokens", "6"]
    status, out, err = say("chat", *words)
    model = regionforge.open_model(tiny_models[kind])
    regions = [(1, 2, 31, 22), (20, 10, 60, 40)]
    talk = model.talk(photos / "0.png", regions, max_new_tokens=6)
    expected = [talk.ask("What is region1?"), talk.ask("And region2?")]
    talk = model.talk(photos / "0.png", regions, max_new_tokens=6)
    assert (status, err) == (0, "a new talk\n")
    answers = [*expected, talk.ask("And region2?")]
    assert out == "".join(f"{visible(each)}\n" for each in answers)
    assert len(set(answers)) > 1


def test_detections_of_any_detector(tiny_models, photos, say, typed, tmp_path):
    path = tmp_path / "boxes.json"
    boxes = [{"image_id": 7, "bbox": [1, 2, 30, 20], "score": 0.9, "category_id": 3}]
    path.write_text(json.dumps(boxes), encoding="utf-8")
    words = ["--checkpoint", tiny_models["gpt4roi"], "--image", photos / "0.png"]
    words += ["--detections", path, "--image-id", 7, "--max-new-tokens", 4]
    typed("/regions\nWhat is region1?")
    status, out, err = say("chat", *words)
    assert (status, err) == (0, "region1: box 1, 2, 31, 22, category 3, score 0.90\n")
    talk = open_model(tiny_models["gpt4roi"]).talk(
        photos / "0.png", [(1, 2, 31, 22)], list_all=True, max_new_tokens=4
    )
    assert out == f"{visible(talk.ask('What is region1?'))}\n"


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--region", "100,2,130,40"], 2, "region 1: (100.0, 2.0, 130.0, 40.0) has no part in a"),
        (["--region", BOX] * 101, 2, "101 regions, expected 100 at most"),
        (["--image-id", "7"], 2, "--detections FILE and --image-id N go together: name both"),
        (["--min-score", "0.3"], 2, "--min-score is for --detections: name both, or leave it out"),
        (["--image", "missing.png"], 2, "--image missing.png: no such file"),
        (["--image", "."], 2, "--image .: a folder; expected a file"),
        (["--region", "missing.json"], 2, "--region missing.json: no such file"),
        (["--detections", "missing.json", "--image-id", "7"], 2, "--detections missing.json: no"),
        (["--image", __file__], 1, f"--image {__file__}: the picture is no JPEG, PNG"),
        (["--image", "https://x.y/a.png"], 2, "--image https://x.y/a.png: an address; expected"),
        (["--checkpoint", "/nowhere"], 2, "/nowhere: no such folder, and no name of a model"),
    ],
)
def test_mistakes_are_named(flags, status, message, tiny_models, photos, say, typed):
    typed("What is region1?")
    words = ["--checkpoint", tiny_models["regiongpt"], "--image", photos / "0.png", *flags]
    ended, out, err = say("chat", *words)
    assert (ended, out) == (status, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


def test_a_question_about_no_region_is_named(tiny_models, photos, say, typed):
    typed("What is region1?")
    words = ["--checkpoint", tiny_models["regiongpt"], "--image", photos / "0.png"]
    assert say("chat", *words, "--max-new-tokens", 2)[0] == 0  # plain words
    typed("What is <region1>?")
    ended = say("chat", *words)
    assert ended == (1, "", "error: '<region1>' in a question, and there are no regions\n")
    typed("x")
    ended = say("chat", "--checkpoint", tiny_models["regiongpt"], "--region", BOX)
    assert ended == (2, "", "error: --image FILE is missing: the picture of the regions\n")


def test_bytes_that_are_no_text_are_named(tiny_models, photos, say, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Is \xff red?\n"), "utf-8"))
    ended = say("chat", "--checkpoint", tiny_models["regiongpt"], "--image", photos / "0.png")
    assert ended == (1, "", "error: the questions are no text in UTF-8\n")


def test_a_picture_beyond_the_limit_is_named(tiny_models, tmp_path, say, typed):
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 8_001)).save(path)
    typed("x")
    words = ["--checkpoint", tiny_models["regiongpt"], "--image", path]
    message = f"error: --image {path}: a picture of 10000 x 8001 pixels, at most 80000000 in all\n"
    assert say("chat", *words) == (1, "", message)
