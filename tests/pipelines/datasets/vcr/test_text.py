"""VCR's tokens as readable English, with a mention for every object."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.coco.categories import COCO_NAMES
from pipelines.datasets.vcr.text import spaced_name, to_passage
from schemas.item import Mention, mentioned, plain_text
from schemas.rejection import Reason, Rejected

CLASSES = ["person", "dog", "wineglass", "person"]
WORDS = st.text(min_size=1, max_size=6) | st.sampled_from(["'", "-", '"', ",", ".", "s", "("])
TOKENS = st.lists(WORDS | st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=12)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("It is late , so he left .", "It is late, so he left."),
        ("Why ? No ! One : two ; three .", "Why? No! One: two; three."),
        ("She doesn ' t know it ' s his .", "She doesn't know it's his."),
        ("They ' re here , I ' ll go , we ' ve won", "They're here, I'll go, we've won"),
        ("I ' m sure he ' d stay", "I'm sure he'd stay"),
        ("She did n't say it 's hers", "She didn't say it's hers"),
        ("It is nine o ' clock , ma ' am", "It is nine o'clock, ma'am"),
        ("the girls ' room", "the girls' room"),
        ("in the ' 90s", "in the '90s"),
        ("He says ' hello there ' to her", "He says 'hello there' to her"),
        ("She isn ' t ' sad ' , he isn ' t", "She isn't 'sad', he isn't"),
        ('A sign says " no entry " .', 'A sign says "no entry".'),
        ("`` No , '' he says", "``No,'' he says"),
        ("a well - dressed man in a t - shirt", "a well-dressed man in a t-shirt"),
        ("forty - six", "forty-six"),
        ("He is sad - he lost", "He is sad - he lost"),
        ("He is sad - - he lost", "He is sad -- he lost"),
        ("red and / or blue ( dark )", "red and/or blue (dark)"),
        ("Well . . .", "Well..."),
        ("at 8 : 46 PM for $ 2 . 50", "at 8:46 PM for $2.50"),
        ("3 , 000 people , or 4 , 5", "3,000 people, or 4, 5"),
        ("He is 9 . He left", "He is 9. He left"),
        ("- no", "- no"),
        ("'", "'"),
        ("", ""),
    ],
)
def test_words(tokens, text):
    assert plain_text(to_passage(tokens.split(), [])) == text


@pytest.mark.parametrize(
    ("tokens", "text", "regions"),
    [
        (["Where", "are", [0, 1], "?"], "Where are person and dog?", "01"),
        ([[3, 0, 1], "sit", "."], "person, person and dog sit.", "301"),
        (["Is", "it", [0], "'", "s", [2], "?"], "Is it person's wine glass?", "02"),
        ([[0], "'", "hand"], "person' hand", "0"),
        ([[0], ",", [1], "and", [2]], "person, dog and wine glass", "012"),
        ([[1, 1], "runs"], "dog runs", "1"),
        (["The", [0], "Person", "sees", [2], "wineglass"], "The person sees wine glass", "02"),
        (["The", [0, 1], "dog"], "The person and dog dog", "01"),
        (["person", [0]], "person person", "0"),
        ([[0], "-", [1]], "person - dog", "01"),
        ([[0]], "person", "0"),
    ],
)
def test_objects(tokens, text, regions):
    passage = to_passage(tokens, CLASSES)
    assert plain_text(passage) == text
    assert mentioned(passage) == tuple(regions)
    assert all(piece for piece in passage)


def test_a_mention_is_about_one_object():
    assert to_passage(["See", [0, 2], "."], CLASSES) == (
        "See ",
        Mention("person", ("0",)),
        " and ",
        Mention("wine glass", ("2",)),
        ".",
    )


@pytest.mark.parametrize("objects", [[], [4], [-1], [0, 9]])
def test_objects_that_are_not_there(objects):
    with pytest.raises(Rejected) as cause:
        to_passage(["See", objects], CLASSES)
    assert cause.value.reason is Reason.MALFORMED


@given(TOKENS)
def test_nothing_but_blanks_comes_or_goes(tokens):
    """Between objects of one list stands what a list needs; a doubled class name goes."""
    passage = to_passage(tokens, CLASSES)
    given_words = "".join(token for token in tokens if isinstance(token, str)).split()
    shown = "".join(piece for piece in passage if isinstance(piece, str)).split()
    if not any(isinstance(token, list) for token in tokens):
        assert "".join(shown) == "".join(given_words)
    numbers = {str(n) for token in tokens if isinstance(token, list) for n in token}
    assert set(mentioned(passage)) == numbers


def test_the_names_are_the_owners(samples):
    """Every class of the owner's list has a name of COCO's, but for its blanks."""
    listed = (samples / "vcr" / "cocoontology.json").read_text(encoding="utf-8")
    owned = {line.split('"')[3] for line in listed.splitlines() if '"name"' in line}
    assert len(owned) == 80
    assert {spaced_name(name) for name in owned} == set(COCO_NAMES)
    assert spaced_name("hairdrier") == "hair drier"
    assert spaced_name("bicycle rack") == "bicycle rack"
