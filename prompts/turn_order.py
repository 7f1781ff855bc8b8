"""The order of turns: sentences in rounds, so that no conversation has a region twice."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.ids import Hasher
from schemas.item import Expression
from schemas.sample import Task


class RankedSentence(NamedTuple):
    """A sentence, and the rank that chooses the wording of its turn."""

    sentence: Expression
    position: int


def rounds(
    sentences: Iterable[Expression], hasher: Hasher, task: Task
) -> list[list[RankedSentence]]:
    """Return the sentences in rounds: round k holds the k-th sentence of each region.

    Hashes decide the order of a region's sentences, and the order within a round; the order
    of the argument has no effect.
    """
    ranked = sorted(
        [(*hasher.ranks(task, sentence.id), sentence) for sentence in sentences],
        key=lambda item: (item[0], item[2].id),
    )
    dealt: Counter[str] = Counter()
    dealt_rounds: list[list[RankedSentence]] = []
    for _, position, sentence in ranked:
        number = dealt[sentence.region_id]
        if number == len(dealt_rounds):
            dealt_rounds.append([])
        dealt_rounds[number].append(RankedSentence(sentence, position))
        dealt[sentence.region_id] += 1
    return dealt_rounds
