"""The classes of which every object of an image is known, and doubts that leave one out."""

import pytest
from msgspec.structs import replace

from schemas.classes import KnownClasses, StatedClasses
from schemas.ledger import Stage
from schemas.source import SourceImage, SourceRegion
from transforms.ledger import StageLedger
from transforms.screen import screen_image

CAT = SourceRegion("1", (1.0, 2.0, 5.0, 6.0), category="cat")
OTHER_CAT = SourceRegion("2", (7.0, 2.0, 12.0, 6.0), category="cat")
DOG = SourceRegion("3", (1.0, 7.0, 5.0, 9.0), category="dog")


ALL = StatedClasses()


@pytest.fixture
def known(make_image):
    """What is known of the classes of an image with some regions."""

    def screen(*regions, stated=ALL):
        image = SourceImage(make_image(), regions, classes=stated)
        return screen_image(image, StageLedger(Stage.SCREEN)).classes

    return screen


def test_all_objects_of_a_class_are_known_with_their_boxes(known):
    assert known(OTHER_CAT, DOG, CAT) == KnownClasses(
        {"cat": (OTHER_CAT.bbox, CAT.bbox), "dog": (DOG.bbox,)}
    )
    assert known(CAT, stated=None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"crowd": True},
        {"bbox": (7.0, 2.0, 7.0, 6.0)},
        {"bbox": (70.0, 2.0, 72.0, 6.0)},
        {"bbox": CAT.bbox},
        {"category": "Cat"},
        {"category": "_cat "},
    ],
    ids=str,
)
def test_a_class_with_a_doubtful_object_is_left_out(known, change):
    assert known(CAT, replace(OTHER_CAT, **change), DOG).boxes.keys() == {"dog"}


def test_what_the_owner_states_overrules_its_boxes(known):
    stated = StatedClasses(partial=("cat", "owl"), absent=("bear", "big_ox", "owl", "_"))
    assert known(CAT, DOG, stated=stated) == KnownClasses({"dog": (DOG.bbox,)}, ("bear", "big_ox"))
    contradiction = StatedClasses(absent=("DOG", "bear"))
    assert known(CAT, DOG, stated=contradiction) == KnownClasses({"cat": (CAT.bbox,)}, ("bear",))
    crowd = replace(DOG, crowd=True)
    assert known(CAT, crowd, stated=contradiction).absent == ("bear",)
