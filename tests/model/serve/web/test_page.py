"""What the events of the page answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from model.serve.web.sketch import Sketch
from tests.quick_gradio import import_gradio


@pytest.fixture(scope="module")
def page():
    """The module of the page."""
    import_gradio()
    from model.serve.web import page

    return page


@pytest.fixture
def picture(tmp_path):
    """A picture's file, of 700 x 600 pixels."""
    path = tmp_path / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (600, 700, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def note_of(outputs):
    return outputs[3]


def test_a_round_by_clicks_and_a_question(page, regiongpt, picture):
    sketch = Sketch()
    assert "700 x 600 pixels" in note_of(page._open(sketch, picture))
    assert "opposite corner" in note_of(page._click(sketch, SimpleNamespace(index=[10, 20])))
    outputs = page._click(sketch, SimpleNamespace(index=[300, 200]))
    assert "box 10, 20, 301, 201" in outputs[4]
    steps = list(page._ask(sketch, "What is region1?", regiongpt, 4))
    talk = regiongpt.talk(picture, [(10, 20, 301, 201)], max_new_tokens=4)
    assert sketch.messages[1]["content"] == talk.ask("What is region1?")
    assert steps[0][-1] == ""  # the question is taken
    assert steps[-1][5].count('<div class="turn ') == 2
    assert "A new talk" in note_of(page._new(sketch))
    assert sketch.messages == []


def test_a_brushed_mask_is_a_region(page, picture):
    sketch = Sketch()
    page._open(sketch, picture)
    layer = np.zeros((600, 700, 4), np.uint8)
    layer[100:200, 300:400, 3] = 255
    layer[0, 0, 3] = 100  # hardly touched
    assert "region1</mark> mask" in page._brush(sketch, {"layers": [layer]})[4]
    brushed = sketch.regions[0].brushed
    assert brushed is not None
    assert brushed.sum() == 100 * 100


def test_mistakes_are_notes_and_change_nothing(page, regiongpt, picture, tmp_path):
    sketch = Sketch()
    assert "no picture is open" in note_of(page._click(sketch, SimpleNamespace(index=[1, 1])))
    assert "no mask: open a picture" in note_of(page._brush(sketch, None))
    *_, last = page._ask(sketch, "What?", regiongpt, 4)
    assert ("no picture is open" in note_of(last), last[-1]) == (True, "What?")
    words = tmp_path / "words.png"
    words.write_text("just words", encoding="utf-8")
    assert 'class="error"' in note_of(page._open(sketch, str(words)))
    page._open(sketch, picture)
    *_, last = page._ask(sketch, "What is <region1>?", regiongpt, 4)
    assert "&lt;region1&gt;&#x27; in a question, and there are no regions" in note_of(last)
    assert sketch.messages == []
