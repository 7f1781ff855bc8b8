"""What is said of an image's regions, dealt out so that no conversation asks twice about one."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.ids import Hasher
from schemas.item import Expression
from schemas.sample import Task


class Drawn(NamedTuple):
    """A sentence, and the rank that chooses the wording of its turn."""

    sentence: Expression
    position: int


def rounds(sentences: Iterable[Expression], hasher: Hasher, task: Task) -> list[list[Drawn]]:
    """Return the sentences in rounds: in round k, the k-th of each region that has so many.

    Hashes decide which sentence of a region is its k-th, and the order within a round; the order
    in which sentences come decides nothing.
    """
    drawn = sorted(
        [(*hasher.ranks(task, sentence.id), sentence) for sentence in sentences],
        key=lambda item: (item[0], item[2].id),
    )
    dealt: Counter[str] = Counter()
    found: list[list[Drawn]] = []
    for _, position, sentence in drawn:
        number = dealt[sentence.region_id]
        if number == len(found):
            found.append([])
        found[number].append(Drawn(sentence, position))
        dealt[sentence.region_id] += 1
    return found
