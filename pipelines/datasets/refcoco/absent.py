"""Expressions that are true of nothing in an image, for questions without an answer.

They are taken from other images of the same split. An expression is absent from an image if it is
not relative (`relative`), names a kind of thing (`kinds`), and

- names no kind that an expression of the image or the category of any of its boxes names, crowds
  and boxes without a sentence included; nor does the category of the expression;
- shares no content word with an expression of the image, where categories are not known.

An image has no absent expressions if the category of a box is unknown, or, where categories are not
known, if the expressions of a ref name no kind. Another one gets as many as it has sentences, fewer
only if so many are not among the next `_WALK`. The expressions of a split
stand in a circle ordered by hash. An image takes the first absent ones after its own rank, so that
the choice is the same for any order of the file and any number of parts.
"""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import msgspec

from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.box_names import BoxNames
from pipelines.datasets.refcoco.kinds import kinds_of, words_of
from pipelines.datasets.refcoco.relative import is_relative
from pipelines.datasets.refcoco.sentences import Sentence
from schemas.ids import Hasher
from schemas.item import AbsentExpression
from schemas.limits import MAX_TEXT_CHARACTERS
from schemas.source import SplitInput

_WALK = 5_000  # expressions that an image is compared with at most


class _Candidate(msgspec.Struct, frozen=True, order=True, gc=False):
    """An expression that is absent from some images; candidates are ordered by rank."""

    rank: int
    id: str
    text: str
    words: tuple[str, ...]  # content words; empty where categories are known
    kinds: frozenset[int | str]  # that it names, and the name of its category


class AbsentExpressions:
    """The expressions of a split, from which each image takes those that are absent from it."""

    def __init__(
        self,
        split: SplitInput,
        sentences: Mapping[ItemId, Sequence[Sentence]],
        names: BoxNames | None,
    ) -> None:
        """Rank the expressions of a split; the images of an evaluation get none.

        Args:
            split: the split that is read, or one of its parts.
            sentences: the sentences of the whole split, by image.
            names: the names of the boxes of the whole split; None: boxes have no names.
        """
        self._sentences = sentences
        self._names = names
        self._hasher = Hasher(split.seed, "absent", split.source, split.split)
        self._circle = [] if split.evaluation else sorted(self._candidates())
        self._ranks = [candidate.rank for candidate in self._circle]

    def of(self, number: ItemId, count: int) -> tuple[AbsentExpression, ...]:
        """Return at most so many expressions that are absent from an image."""
        sentences = self._sentences[number]
        names: set[str] | None = set()
        if self._names is not None:
            names = self._names.images.get(number, names)
        elif {item.ref for item in sentences} != {i.ref for i in sentences if kinds_of(i.text)}:
            names = None
        if names is None or not self._circle:
            return ()
        texts = [sentence.text for sentence in sentences]
        kinds = names.union(*map(kinds_of, texts), *map(kinds_of, names))
        words = {word for text in texts for word in words_of(text)}
        taken: dict[str, AbsentExpression] = {}
        for candidate in self._after(number):
            if len(taken) == count:
                break
            if kinds.isdisjoint(candidate.kinds) and words.isdisjoint(candidate.words):
                reading = " ".join(candidate.text.lower().split())
                taken.setdefault(reading, AbsentExpression(candidate.id, candidate.text))
        return tuple(taken.values())

    def _after(self, number: ItemId) -> Iterator[_Candidate]:
        """Return the candidates that follow an image in the circle, up to `_WALK`."""
        start = bisect(self._ranks, self._hasher.rank(str(number)))
        return islice(chain(islice(self._circle, start, None), self._circle[:start]), _WALK)

    def _candidates(self) -> Iterator[_Candidate]:
        several: dict[frozenset[int | str], frozenset[int | str]] = {}  # equal sets are held once
        for number, sentences in self._sentences.items():
            for sentence in sentences:
                text, name = sentence.text, self._name(sentence)
                if len(text) > MAX_TEXT_CHARACTERS or is_relative(text) or name == "":
                    continue
                if kinds := kinds_of(text):
                    if name is not None:
                        kinds |= {name, *kinds_of(name)}
                    same = frozenset(kinds)
                    yield _Candidate(
                        self._hasher.rank(str(number), sentence.id, text),
                        sentence.id,
                        text,
                        () if self._names else tuple(words_of(text)),
                        several.setdefault(same, same),
                    )

    def _name(self, sentence: Sentence) -> str | None:
        """Return the category of a sentence's object: "" where unknown, None where none has any."""
        return self._names.regions.get(sentence.region_id, "") if self._names else None
