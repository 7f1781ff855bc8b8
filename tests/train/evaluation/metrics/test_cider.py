"""CIDEr-D against the published scorer's values, and by hand."""

import json
import math
from pathlib import Path

import pytest

from train.evaluation.metrics.cider import cider
from train.evaluation.metrics.tokens import tokens

GOLDEN = json.loads(Path(__file__).with_name("golden_captions.json").read_text(encoding="utf-8"))
LINES = [line for _, line in GOLDEN["phrases"]]
GROUP = 3


def caption_of(number: int, lines: list[str]) -> list[str]:
    """The rule of `make_golden_captions.py`."""
    words = lines[number].split()
    return words[: len(words) // 2] + lines[(number + 1) % len(lines)].split()


def test_entries_of_one_reference_have_the_published_values() -> None:
    captions = [caption_of(number, LINES) for number in range(len(LINES))]
    scores = cider(captions, [[line.split()] for line in LINES])
    assert scores == pytest.approx(GOLDEN["single"]["cider_entries"], abs=1e-9)
    assert sum(scores) / len(scores) == pytest.approx(GOLDEN["single"]["cider"], abs=1e-9)


def test_entries_of_several_references_have_the_published_values() -> None:
    starts = range(0, len(LINES), GROUP)
    captions = [caption_of(start, LINES) for start in starts]
    references = [[line.split() for line in LINES[start : start + GROUP]] for start in starts]
    scores = cider(captions, references)
    assert scores == pytest.approx(GOLDEN["grouped"]["cider_entries"], abs=1e-9)
    assert sum(scores) / len(scores) == pytest.approx(GOLDEN["grouped"]["cider"], abs=1e-9)


@pytest.mark.parametrize("name", GOLDEN["files"])
def test_real_sentences_have_the_published_value(name, samples) -> None:
    path = samples / "refcoco" / "minigpt4_eval" / f"{name}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    lines = [" ".join(tokens(row["sents"])) for row in rows]
    captions = [caption_of(number, lines) for number in range(len(lines))]
    scores = cider(captions, [[line.split()] for line in lines])
    published = GOLDEN["files"][name]["cider"]
    assert sum(scores) / len(scores) == pytest.approx(published, abs=1e-9)


def test_a_set_by_hand() -> None:
    # Unigrams weigh log 2 each, "a" in both references 0. Of "a b", clipped "b b" has b once:
    # caption b 2 log 2, reference b log 2; cosine = log2 * log2 / (2 log2 * log2) = 1/2.
    # Its bigram "b b" is in no reference; neither is longer. One bigram each: no penalty.
    first, second = cider([["b", "b"], ["a", "c"]], [[["a", "b"]], [["a", "c"]]])
    assert first == pytest.approx(10 * (1 / 2) / 4)
    assert second == pytest.approx(10 * 2 / 4)  # unigrams and bigrams are equal


def test_a_longer_caption_is_penalised_by_its_length() -> None:
    words = ["x", "y"]
    right = [[["x", "y"]], [["z"]]]
    exact, _ = cider([words, ["z"]], right)
    # Five more words that weigh nothing would not change a cosine; "z" weighs, so use none: the
    # caption's own n-grams are repeated in no reference but count in its norm.
    longer, _ = cider([[*words, "u", "v", "w"], ["z"]], right)
    cosines = 2 / math.sqrt(5 * 2) + 1 / math.sqrt(4)
    assert longer == pytest.approx(10 * cosines / 4 * math.exp(-(3**2) / (2 * 36)))
    assert exact == pytest.approx(5.0)


def test_one_entry_alone_scores_zero() -> None:
    assert cider([["a", "dog"]], [[["a", "dog"]]]) == [0.0]


def test_empty_captions_and_references_score_zero() -> None:
    assert cider([[], ["a"]], [[["a", "dog"]], [[]]]) == [0.0, 0.0]
    assert cider([], []) == []


def test_duplicates_are_entries_of_their_own() -> None:
    once = cider([["a"], ["b"]], [[["a"]], [["b"]]])
    twice = cider([["a"], ["a"], ["b"]], [[["a"]], [["a"]], [["b"]]])
    assert once[0] == pytest.approx(2.5)
    assert twice[0] == twice[1] == pytest.approx(2.5)  # log(3/2), yet a cosine of 1
