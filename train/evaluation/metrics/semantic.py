"""Semantic similarity (SS) and semantic overlap of words (S-IoU) of answers, as Osprey measures.

SS is the cosine of the answer's and the category's vectors by a text encoder, and may be negative.
S-IoU is the share of common words: of both texts in lower case, split at blanks, as sets. Both are
means over objects, times 100.

    answer "A bat."  category "bat (animal)"  ->  {a, bat}, {bat, (animal)}: 1/3

A missing answer is 0 in both. An empty answer shares no word, and has the encoder's similarity of
an empty text, as in Osprey's script. Where neither text has a word, none is shared: 0.
"""

from collections.abc import Sequence
from math import fsum
from typing import TYPE_CHECKING, Literal

import numpy as np

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.entries import check_answers, missing

if TYPE_CHECKING:  # it needs torch
    from train.evaluation.metrics.encoder import Encoder

# What a colon in an answer does. By "osprey" only the text between the first and the second colon
# counts: "chair:leg" becomes "leg". By "blank" the colon is a blank: "chair leg".
ColonRule = Literal["osprey", "blank"]

_BLANKS = str.maketrans(".:,", "   ")
_TRUTH_BLANKS = str.maketrans("_:", "  ")


def semantic(
    answers: Sequence[Answer], encoder: "Encoder | None" = None, colon: ColonRule = "osprey"
) -> list[Figure]:
    """Return S-IoU, and SS where there is an encoder.

    Args:
        answers: the answers to questions for one category each.
        encoder: a text encoder; None: SS is not measured.
        colon: what a colon in an answer does.

    Raises:
        InputFileError: there is nothing to score, or an entry has no reference.
    """
    check_answers(answers, "semantic similarity")
    pairs = []
    for answer in answers:
        if not answer.references:
            raise InputFileError(f"{answer.record!r} has no reference, expected a category's name")
        text = None if answer.text is None else answer_text(answer.text, colon)
        pairs.append((text, answer.references[0].translate(_TRUTH_BLANKS)))
    rule = f"colon rule: {colon}"
    overlap = [0.0 if text is None else word_overlap(text, truth) for text, truth in pairs]
    figures = [_mean("S-IoU", overlap, rule)]
    if encoder is not None:
        figures.insert(0, _mean("SS", _similarities(pairs, encoder), f"{rule}; {encoder.name}"))
    return figures + missing(answers)


def answer_text(text: str, colon: ColonRule) -> str:
    """Return the part of an answer that is compared.

    >>> answer_text("Part:leg.", "osprey"), answer_text("Part:leg.", "blank")
    ('leg ', 'Part leg ')
    """
    text = text.strip()
    if colon == "osprey" and ":" in text:
        text = text.split(":")[1]
    return text.translate(_BLANKS)


def word_overlap(text: str, other: str) -> float:
    """Return the share of the words of two texts that both have, from 0 to 1.

    >>> word_overlap("Legs of a chair", "chair leg")
    0.2
    """
    words, others = set(text.lower().split()), set(other.lower().split())
    either = words | others
    return len(words & others) / len(either) if either else 0.0


def _similarities(pairs: Sequence[tuple[str | None, str]], encoder: "Encoder") -> list[float]:
    texts = sorted({text for pair in pairs for text in pair if text is not None})
    vectors = np.asarray(encoder.encode(texts), np.float64)
    rows = dict(zip(texts, vectors, strict=True))
    return [0.0 if text is None else float(rows[text] @ rows[truth]) for text, truth in pairs]


def _mean(name: str, values: Sequence[float], note: str) -> Figure:
    return Figure(name=name, value=100 * fsum(values) / len(values), count=len(values), note=note)
