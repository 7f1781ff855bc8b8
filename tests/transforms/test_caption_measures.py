"""What boxes and pixels contradict of a sentence about its object; and what they do not."""

import doctest

import pytest

from transforms import caption_colours, caption_places
from transforms.caption_colours import wrong_colour
from transforms.caption_names import described_other
from transforms.caption_places import Placed, wrong_place

# In the upper left of a picture of 90 x 60; a plate lies right of it, and a mug below it.
CUP = Placed(
    width=90,
    height=60,
    box=(5, 5, 20, 20),
    class_name="coffee cup",
    others=[("plate", (40, 5, 60, 20)), ("mug", (5, 40, 20, 55)), ("mug", (70, 40, 85, 55))],
)


def test_the_examples_hold() -> None:
    assert doctest.testmod(caption_places).failed == 0
    assert doctest.testmod(caption_colours).failed == 0


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The cup lies in the lower right.", "in the lower right"),
        ("It is on the right side of the scene, near a wall.", "on the right side of the scene"),
        ("A small white cup stands at the bottom.", "at the bottom"),
        ("It lies to the right of a blue plate.", "to the right of a plate"),
        ("The cup is located below the plate.", ""),  # neither above nor below
        ("The cup stands below the large mug.", "below the mug"),
        ("The cup lies in the upper left.", ""),
        ("It is in the middle.", ""),
        ("It lies to the left of a blue plate.", ""),
        ("It lies to the right of one mug.", ""),  # not of all of them is the opposite so
        ("It lies to the right of a spoon.", ""),  # nobody has drawn it
        ("A handle is on the right.", ""),  # of the cup
        ("On the right side it has a handle.", ""),
        ("The plate lies in the lower right.", ""),  # not of the cup
    ],
)
def test_places(sentence, words) -> None:
    assert wrong_place(sentence, CUP) == words


@pytest.mark.parametrize(
    ("sentence", "shares", "colour"),
    [
        ("A red cup stands there.", {"blue": 0.8}, "red"),
        ("The bright red coffee cup stands there.", {"blue": 0.8}, "red"),
        ("It is entirely red.", {"blue": 0.8}, "red"),
        ("Its color is dark green.", {"pink": 0.8}, "green"),
        ("a red cup", {"blue": 0.8, "red": 0.03}, ""),  # there is some
        ("a red cup", {"blue": 0.8, "orange": 0.18}, ""),  # which may be called so
        ("a red cup", {"orange": 0.9}, ""),
        ("a red cup", {"blue": 0.3}, ""),  # most has no name
        ("a red cup", {}, ""),
        ("A cup with a red rim.", {"blue": 0.9}, ""),  # of a part
        ("It is red-rimmed.", {"blue": 0.9}, ""),
        ("It is red and blue.", {"blue": 0.9}, ""),
        ("A red plate lies under the cup.", {"blue": 0.9}, ""),
        ("a grey cup", {"blue": 0.9}, ""),
    ],
)
def test_colours(sentence, shares, colour) -> None:
    assert wrong_colour(sentence, "coffee cup", shares) == colour


def test_a_class_that_is_named_by_a_colour_claims_none() -> None:
    assert wrong_colour("A red panda sits there.", "red panda", {"brown": 0.9, "black": 0.1}) == ""
    assert wrong_colour("A red panda sits there.", "panda", {"green": 0.9}) == "red"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("A blue plate lies there. The plate is flat, and it is clean.", "plate"),
        ("A plate. It lies to the right of a cup. The plate is blue.", "plate"),
        ("A plate with a cup on it.", ""),
        ("A plate carries it. The cup is white.", ""),
        ("A saucer of china.", ""),  # no annotated class
        ("It is a plate.", ""),
    ],
)
def test_another_object_in_its_place(text, other) -> None:
    assert described_other(text, "coffee cup", ["mug", "plate"]) == other


@pytest.mark.parametrize(
    ("text", "class_name", "others", "other"),
    [
        ("The teddy bear is brown. It sits there.", "bear", ["teddy bear"], "teddy bear"),
        ("The half circle is red. It is flat.", "circle", ["oval", "half circle"], "half circle"),
        ("Half circles lie there.", "circle", ["half circle"], "half circle"),
        ("The circle is red. The half circle is blue, and it is small.", "circle", ["oval"], ""),
        ("A bear beside a teddy bear. The teddy bear is soft.", "bear", ["teddy bear"], ""),
        ("The teddy bear is brown.", "teddy bear", ["bear"], ""),
        ("Two glasses of water stand there.", "glass", ["glasses"], ""),
        ("A DOG lies there.", "dog", ["Dog"], ""),
    ],
)
def test_a_longer_name_that_holds_its_own_is_of_the_other(text, class_name, others, other) -> None:
    assert described_other(text, class_name, others) == other
