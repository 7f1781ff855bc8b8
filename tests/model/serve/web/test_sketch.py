"""What a visitor does: pictures, clicks, brushed masks, and questions."""

import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from model.serve.web.sketch import SHOWN, Sketch
from schemas.mask import from_pixels


def opened_sketch(width: int, height: int) -> Sketch:
    """A sketch with a black picture."""
    sketch = Sketch()
    sketch.open(Image.new("RGB", (width, height)))
    return sketch


@pytest.mark.parametrize(
    ("size", "shown"),
    [((4000, 2000), (1024, 512)), ((100, 60), (1000, 600)), ((700, 30), (700, 30))],
)
def test_a_picture_is_shown_in_a_size_to_draw_on(size, shown):
    sketch = opened_sketch(*size)
    assert sketch.picture is not None
    assert sketch.shown is not None
    assert (sketch.picture.size, sketch.shown.size) == (size, shown)
    assert max(shown) <= SHOWN


@pytest.mark.parametrize("second", [(30, 40), (10, 40), (30, 20), (10, 20)])
def test_two_clicks_are_a_box_that_holds_both_pixels(second):
    sketch = opened_sketch(700, 600)
    first = (40 - second[0], 60 - second[1])  # the opposite corner
    assert not sketch.click(*first)
    assert sketch.click(*second)
    assert [each.region for each in sketch.regions] == [(10, 20, 31, 41)]
    assert sketch.corner is None


def test_boxes_and_masks_are_in_pixels_of_the_picture():
    sketch = opened_sketch(2048, 1024)
    sketch.click(0, 0)
    sketch.click(9, 19)
    brushed = np.zeros((512, 1024), bool)
    brushed[100:110, 200:230] = True
    sketch.brush(brushed)
    box, mask = (each.region for each in sketch.regions)
    assert box == (0, 0, 20, 40)
    assert mask["size"] == [1024, 2048]
    whole = np.zeros((1024, 2048), bool)
    whole[200:220, 400:460] = True
    assert mask["counts"] == from_pixels(whole).counts


def test_a_second_picture_begins_anew_and_a_bad_one_changes_nothing(tmp_path):
    sketch = opened_sketch(700, 600)
    sketch.click(1, 1)
    sketch.click(2, 2)
    sketch.messages = [{"role": "user", "content": "x"}]
    before = sketch.picture
    words = tmp_path / "words.png"
    words.write_text("just words", encoding="utf-8")
    with pytest.raises(InputError, match="the picture is no JPEG, PNG, GIF, WEBP or BMP file"):
        sketch.open(words)
    assert (sketch.picture, len(sketch.regions), len(sketch.messages)) == (before, 1, 1)
    sketch.open(Image.new("RGB", (20, 20)))
    assert (sketch.regions, sketch.messages, sketch.corner) == ([], [], None)


def test_what_cannot_be_a_region_is_named(monkeypatch):
    with pytest.raises(InputError, match="no picture is open: open one first"):
        Sketch().click(1, 1)
    with pytest.raises(InputError, match="no picture is open: open one first"):
        Sketch().brush(np.ones((2, 2), bool))
    sketch = opened_sketch(700, 600)
    with pytest.raises(InputError, match="region 1: an empty mask"):
        sketch.brush(np.zeros((600, 700), bool))
    sketch.click(900, 10)
    with pytest.raises(InputError, match=r"region 1: \(900.0, 10.0, 911.0, 31.0\) has no part in"):
        sketch.click(910, 30)
    assert (sketch.regions, sketch.corner) == ([], None)
    monkeypatch.setattr("model.serve.web.sketch.MAX_MASK_PIXELS", 419_999)
    with pytest.raises(InputError, match="a mask on a picture of 700 x 600 pixels, at most 419999"):
        sketch.brush(np.ones((600, 700), bool))


def test_a_hundred_regions_and_no_more():
    sketch = opened_sketch(700, 600)
    for _ in range(100):
        sketch.click(1, 1)
        sketch.click(9, 9)
    sketch.click(1, 1)
    with pytest.raises(InputError, match="101 regions, expected 100 at most"):
        sketch.click(9, 9)
    assert len(sketch.regions) == 100


def test_undo_forgets_a_corner_then_a_region_with_the_talk_about_it():
    sketch = opened_sketch(700, 600)
    sketch.click(1, 1)
    sketch.click(9, 9)
    sketch.messages = [{"role": "user", "content": "x"}]
    sketch.click(5, 5)
    sketch.undo()
    assert (sketch.corner, len(sketch.regions), len(sketch.messages)) == (None, 1, 1)
    sketch.undo()
    assert (sketch.regions, sketch.messages) == ([], [])
    sketch.undo()


def test_a_talk_of_several_rounds_is_that_of_the_python_call(opened):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 700, 3), np.uint8))
    sketch = Sketch()
    sketch.open(picture)
    sketch.click(10, 20)
    sketch.click(300, 200)
    first = sketch.ask(opened, "What is region1?", 6)
    sketch.click(400, 300)
    sketch.click(650, 550)
    parts = list[str]()
    second = sketch.ask(opened, "And region2?", 6, parts.append)
    talk = opened.talk(picture, [(10, 20, 301, 201), (400, 300, 651, 551)], max_new_tokens=6)
    assert [first, second] == [talk.ask("What is region1?"), talk.ask("And region2?")]
    assert (sketch.messages, "".join(parts)) == (talk.messages, second)
    with pytest.raises(InputError, match="'region3' in a question, and there are 2 regions"):
        sketch.ask(opened, "And region3?", 6)
    assert len(sketch.messages) == 4


def test_the_regions_that_the_last_answer_names():
    sketch = opened_sketch(700, 600)
    assert sketch.answered == set()
    for _ in range(3):
        sketch.click(1, 1)
        sketch.click(9, 9)
    sketch.messages = [
        {"role": "user", "content": "Which? region3?"},
        {"role": "assistant", "content": "Region [2], and region1, not region7."},
    ]
    assert sketch.answered == {1, 2}
