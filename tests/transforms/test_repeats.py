"""Texts that repeat earlier ones are found, and those whose opening too many have."""

import random

import numpy as np
import pytest

from transforms.repeats import FEW, find_repeats, find_stock_openings
from transforms.sketch import SIZE, overlap, sketch

VOCABULARY = [f"word{number}" for number in range(2_000)]


def array(texts: list[str]) -> np.ndarray:
    return np.frombuffer(b"".join(map(sketch, texts)), np.uint8).reshape(-1, SIZE)


def text(drawn: random.Random) -> list[str]:
    return drawn.choices(VOCABULARY, k=80)


def changed(words: list[str], number: int, drawn: random.Random) -> list[str]:
    kept = list(words)
    for position in drawn.sample(range(len(words)), number):
        kept[position] = "else"
    return kept


def test_what_stays_repeats_nothing_and_what_goes_repeats_what_stays() -> None:
    drawn = random.Random(0)
    families = [text(drawn) for _ in range(60)]
    changes = (0, 1, 2, 3, 5, 9)
    texts = [changed(words, drawn.choice(changes), drawn) for words in families for _ in "12345"]
    drawn.shuffle(texts)
    sketches = array([" ".join(words) for words in texts])
    repeats = list(find_repeats(sketches, 0.7))
    gone = {repeat.text for repeat in repeats}
    stays = [number for number in range(len(texts)) if number not in gone]
    # All pairs are compared here, and few of them there.
    for position, number in enumerate(stays[1:], 1):
        assert overlap(sketches[stays[:position]], sketches[number]).max() <= 0.7
    for repeat in repeats:
        assert repeat.of in stays
        assert repeat.of < repeat.text
        assert repeat.share == overlap(sketches[[repeat.of]], sketches[repeat.text])[0] > 0.7
    assert 60 <= len(stays) < 250


def test_the_first_of_many_that_are_the_same_stays() -> None:
    same = array(["a red mug with a chipped handle"] * 3_000)
    assert [repeat.text for repeat in find_repeats(same, 0.75)] == list(range(1, 3_000))
    assert {repeat.of for repeat in find_repeats(same, 0.75)} == {0}


def test_a_text_stays_that_repeats_only_one_that_goes() -> None:
    words = text(random.Random(0))
    middle, far = list(words), list(words)
    middle[5] = far[5] = middle[25] = far[25] = "else"
    far[45] = far[65] = "other"
    sketches = array([" ".join(each) for each in (words, middle, far)])
    assert overlap(sketches[[1]], sketches[2])[0] > 0.65
    assert overlap(sketches[[0]], sketches[2])[0] < 0.62
    assert [repeat.text for repeat in find_repeats(sketches, 0.62)] == [1]


def test_no_text_repeats_none() -> None:
    assert list(find_repeats(np.zeros((0, SIZE), np.uint8), 0.5)) == []


@pytest.mark.parametrize(
    ("most", "gone"), [(0.5, []), (0.3, [*range(30, 40)]), (0.01, [*range(FEW, 40)])]
)
def test_an_opening_is_for_a_share_of_texts_or_for_ten(most, gone) -> None:
    openings = ["in the middle of the"] * 40 + [f"opening {number}" for number in range(60)]
    assert list(find_stock_openings(openings, most)) == gone
