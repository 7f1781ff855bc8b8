"""lmms-eval's requests as questions; lmms-eval itself is not needed."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import RegionForgeError
from train.evaluation.lmms.requests import asked_by

CLEAN, DRAWN = Image.new("RGB", (64, 48), "white"), Image.new("RGB", (64, 48), "red")
RECORD = {"bbox": [10, 20, 30, 15], "image": CLEAN, "answer": ["the red car"]}


def request(context="Provide a short description for this region.", settings=None, pictures=None):
    visual = [DRAWN] if pictures is None else pictures
    return (context, settings or {}, lambda record: visual, 7, "refcocog_bbox_val", "val")


def test_a_box_is_given_as_a_region_on_the_clean_picture() -> None:
    asked = asked_by(request(), RECORD, "given", 64)
    assert asked.messages == [
        {"role": "user", "content": "<image>\nProvide a short description for <region1>."}
    ]
    assert asked.picture is CLEAN
    assert asked.regions == ((10, 20, 40, 35),)  # corners, from x, y, width, height
    assert asked.max_new_tokens == 64


def test_a_box_is_drawn_where_that_is_wanted() -> None:
    asked = asked_by(request(), RECORD, "drawn", 64)
    assert asked.text == "<image>\nProvide a short description for this region."
    assert (asked.picture, asked.regions) == (DRAWN, ())


def test_a_question_about_the_whole_picture_has_no_region() -> None:
    question = "Is there a car in the image?\nAnswer the question using a single word or phrase."
    settings = {"max_new_tokens": 128, "temperature": 0, "top_p": 1.0, "num_beams": 1}
    asked = asked_by(request(question, {**settings, "do_sample": False}), RECORD, "given", 64)
    assert asked.text == f"<image>\n{question}"
    assert (asked.picture, asked.regions, asked.max_new_tokens) == (DRAWN, (), 128)


def test_a_question_without_a_picture_names_none() -> None:
    assert asked_by(request("Why?", pictures=[]), {}, "given", 64).text == "Why?"


def test_the_words_of_a_record_are_no_placeholders() -> None:
    asked = asked_by(request("Is <region1> or <image> there?"), {}, "given", 64)
    assert asked.text == "<image>\nIs (region1) or (image) there?"


@pytest.mark.parametrize(
    ("until", "answer", "ended"),
    [
        (["ASSISTANT:"], "a car ASSISTANT: b", "a car"),
        ("\n", " yes\nno", "yes"),
        (None, "yes ", "yes"),
    ],
)
def test_an_answer_ends_where_the_task_says(until, answer, ended) -> None:
    asked = asked_by(request(settings={"until": until} if until else {}), RECORD, "given", 64)
    assert asked.ended(answer) == ended


@pytest.mark.parametrize(
    "settings", [{"do_sample": True}, {"num_beams": 5}, {"temperature": 0.7}, {"top_k": 5}]
)
def test_another_decoding_is_refused_by_name(settings) -> None:
    (name,) = settings
    with pytest.raises(RegionForgeError, match=f"refcocog_bbox_val/val/7: {name}=.* is not taken"):
        asked_by(request(settings=settings), RECORD, "given", 64)


def test_several_pictures_are_refused() -> None:
    with pytest.raises(RegionForgeError, match="2 pictures, expected one at most"):
        asked_by(request("Compare them.", pictures=[CLEAN, DRAWN]), {}, "given", 64)


def test_the_entry_point_names_a_function() -> None:
    project = Path(__file__).resolve().parents[4] / "pyproject.toml"
    points = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]
    module, _, name = points["lmms_eval.models"]["regionforge"].partition(":")
    assert callable(getattr(import_module(module), name))
