"""Sketches estimate how many runs of five words two texts have in common."""

import numpy as np
import pytest

from transforms.sketch import SIZE, opening_of, overlap, sketch

WORDS = [f"word{number}" for number in range(100)]


def array(*texts: str) -> np.ndarray:
    return np.frombuffer(b"".join(map(sketch, texts)), np.uint8).reshape(-1, SIZE)


def share(one: str, other: str) -> float:
    return float(overlap(array(one), array(other)[0])[0])


def test_a_text_is_itself_whatever_its_letters_and_marks() -> None:
    assert share("A red mug, with a chipped handle.", "a red MUG with a chipped handle") == 1.0
    assert share("Red mug.", "red mug") == 1.0, "one run of fewer words"


def test_texts_of_other_words_have_nothing_in_common() -> None:
    assert share(" ".join(WORDS[:50]), " ".join(WORDS[50:])) < 0.1
    assert share("red mug", "blue bowl") < 0.1


@pytest.mark.parametrize("changes", [1, 2, 4, 8, 12])
def test_the_estimate_is_near_the_share_of_common_runs(changes) -> None:
    shares = []
    for text in range(40):
        words = [f"{word}x{text}" for word in WORDS]
        other = list(words)
        other[4 : 8 * changes : 8] = ["else"] * changes
        shares.append(share(" ".join(words), " ".join(other)))
    common = 96 - 5 * changes  # a word is in five runs
    exact = common / (2 * 96 - common)
    assert np.mean(shares) == pytest.approx(exact, abs=0.02)
    assert np.abs(np.array(shares) - exact).max() < 0.18


def test_an_opening_is_of_five_words() -> None:
    assert opening_of("The mug, on the Table, is red.") == "the mug on the table"
    assert opening_of("A mug.") == "a mug"
