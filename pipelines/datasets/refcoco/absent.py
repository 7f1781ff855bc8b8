"""Expressions that are true of nothing in an image, for questions without an answer.

They are taken from other images of the same split. An expression is absent from an image if it is
not relative (`relative`), names a kind of thing (`kinds`) or its own category, and

- where categories are known: neither it nor its category shares a content word with the category of
  any box of the image, crowds and boxes without a sentence included;
- where they are not known: it shares no content word with any expression of the image;
- in both cases, it and its category name no kind that the expressions or categories of the image
  name.

An image has no absent expressions if the category of a box is unknown, or, where categories are not
known, if the expressions of a ref name no kind. Another one gets as many as it has sentences, fewer
only if so many are not among the `_WALK` it is compared with. The expressions of a split stand in a
circle ordered by hash, in which an image has a position and a stride of its own by hash, so that
the choice is the same for any order of the file and any number of parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from math import gcd

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
    words: tuple[str, ...]  # content words, also of the name of its category
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

    def of(self, number: ItemId, most: int) -> tuple[AbsentExpression, ...]:
        """Return at most `most` expressions that are absent from an image."""
        sentences = self._sentences[number]
        texts = {sentence.text for sentence in sentences}
        names: set[str] | None = set()
        if self._names is not None:
            names = self._names.images.get(number, names)
        elif {item.ref for item in sentences} != {i.ref for i in sentences if kinds_of(i.text)}:
            names = None
        if names is None or not self._circle:
            return ()
        kinds = names.union(*map(kinds_of, texts | names))
        words = {word for text in (names if self._names else texts) for word in words_of(text)}
        taken: dict[str, AbsentExpression] = {}
        for candidate in self._walk(number):
            if len(taken) == most:
                break
            if kinds.isdisjoint(candidate.kinds) and words.isdisjoint(candidate.words):
                reading = " ".join(candidate.text.lower().split())
                taken.setdefault(reading, AbsentExpression(candidate.id, candidate.text))
        return tuple(taken.values())

    def _walk(self, number: ItemId) -> Iterator[_Candidate]:
        """Yield candidates from an image's own position on, with its own stride, each once."""
        size = len(self._circle)
        start, stride = self._hasher.ranks("walk", str(number))
        stride = next(each for each in count(stride % size + 1) if gcd(each, size) == 1)
        for step in range(min(size, _WALK)):
            yield self._circle[(start + step * stride) % size]

    def _candidates(self) -> Iterator[_Candidate]:
        several: dict[frozenset[int | str], frozenset[int | str]] = {}  # equal sets are held once
        for number, sentences in self._sentences.items():
            for sentence in sentences:
                text, name = sentence.text, self._name(sentence)
                if len(text) > MAX_TEXT_CHARACTERS or is_relative(text) or name is None:
                    continue
                words, kinds = set(words_of(text)), kinds_of(text)
                if kinds or not words.isdisjoint(words_of(name)):
                    same = frozenset(kinds.union(kinds_of(name), [name]))
                    yield _Candidate(
                        self._hasher.rank(str(number), sentence.id, text),
                        sentence.id,
                        text,
                        tuple(sorted(words.union(words_of(name)))),
                        several.setdefault(same, same),
                    )

    def _name(self, sentence: Sentence) -> str | None:
        """Return the category of a sentence's object: None where unknown, "" where none has any."""
        return self._names.regions.get(sentence.region_id) if self._names else ""
