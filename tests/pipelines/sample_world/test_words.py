"""Words about scenes made by hand, and pickles as Python 2 wrote them."""

import pickle

import numpy as np
import pytest

from pipelines.sample_world.python2 import pickled
from pipelines.sample_world.scene import Scene, Thing
from pipelines.sample_world.words import Words, a, counted, places, plural


def square(x: float, y: float, side: float, colour: str = "red", *, crowd: bool = False) -> Thing:
    outline = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])
    return Thing(shape="square", colour=colour, parts=(outline,), crowd=crowd)


def words(*things: Thing, sides: bool = True) -> Words:
    scene = Scene(key="by hand", width=300, height=300, ground="sand", things=things)
    return Words(scene=scene, sides=sides)


def said(scene_words: Words, index: int) -> list[str]:
    return [str(one) for one in scene_words.descriptions(index)]


def test_a_thing_alone_may_be_called_anything_true():
    assert said(words(square(10, 130, 20)), 0) == [
        "square",
        "red square",
        "small square",
        "small red square",
        "square on the left",
        "red square on the left",
        "small square on the left",
        "small red square on the left",
    ]


def test_what_two_things_share_does_not_tell_them_apart():
    scene_words = words(square(10, 10, 50), square(240, 10, 50), square(240, 200, 50, "blue"))
    assert said(scene_words, 0) == ["square on the left", "red square on the left"]
    assert said(scene_words, 1) == ["red square on the right"]
    assert said(scene_words, 2) == [
        "blue square", "square at the bottom", "blue square on the right",
        "blue square at the bottom",
    ]  # fmt: skip


def test_a_crowds_members_may_be_anywhere_and_of_any_size():
    scene_words = words(
        square(10, 10, 120, crowd=True), square(240, 10, 20), square(240, 200, 20, "blue")
    )
    assert said(scene_words, 0) == []
    assert said(scene_words, 1) == []
    assert "blue square" in said(scene_words, 2)


def test_where_a_picture_is_turned_nothing_is_said_of_sides():
    things = square(10, 10, 20), square(20, 20, 50, "blue"), square(240, 200, 20, "pink")
    scene_words = words(*things, sides=False)
    assert said(scene_words, 0) == ["red square", "small red square"]
    assert scene_words.related(0) == ["the red square behind a blue square"]
    assert scene_words.related(2) == []


def test_a_relation_tells_one_thing_only():
    one, other = square(100, 10, 20), square(150, 100, 20)
    scene_words = words(one, other, square(240, 110, 20, "blue"))
    assert scene_words.related(2) == ["the blue square right of a red square"]
    # Both red squares are left of the blue one, the other one of them more than it is above it.
    assert scene_words.related(0) == ["the red square above a red square"]


def test_small_words():
    assert [a("oval"), a("red oval"), a("hexagon")] == ["an oval", "a red oval", "a hexagon"]
    assert [plural("cross"), plural("square")] == ["crosses", "squares"]
    assert [counted(1, "shape"), counted(9, "shape")] == ["one shape", "nine shapes"]
    middle = words(square(140, 140, 20)).scene
    assert places(middle, 0) == ("in the middle",)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"": -7, "a": [0, 2**40]},
        ["it's", '"both\' "', "a\nline", "back\\slash", "tab\t", "it's"],
        ["voilà", "图", "😀", "à\\u0041\nb", "voilà"],
        [{"tokens": ["red", "red"], "sent": "red red"}, {"tokens": [], "sent": ""}],
    ],
)
def test_pickles_hold_what_was_written(value):
    assert pickle.loads(pickled(value)) == value
    assert b"\x80" not in pickled(value)[:1]
