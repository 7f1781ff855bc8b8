"""Expressions that are true of nothing in an image, for questions without an answer.

They are taken from other images of the same split. An expression is absent from an image if it is
not relative (`relative`), names a kind of thing (`kinds`) or its own category, and

- where categories are known: neither it nor its category shares a content word with the category of
  any box of the image, crowds and boxes without a sentence included;
- where they are not known: it shares no content word with any expression of the image;
- in both cases, it and its category name no kind that the expressions or categories of the image
  name.

An image has no absent expressions if the category of a box is unknown, or, where categories are not
known, if the expressions of a ref name no kind. Another one gets as many as it has sentences, or
all that are absent from it if those are fewer.

Each sentence is matched by an expression of as many words, as questions show them, chosen by hash
among those that are absent from the image; by one of nearly as many words where there is none.
Otherwise long texts, which are seldom absent, would tell that a question has an answer. A sentence
of fewer words than any expression has is matched as another sentence of the split would be, chosen
by hash. The choice is the same for any order of the file and any number of parts.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.box_names import BoxNames
from pipelines.datasets.refcoco.kinds import kinds_of, words_of
from pipelines.datasets.refcoco.pool import Pool, Traits
from pipelines.datasets.refcoco.relative import MIN_WORDS, is_relative
from pipelines.datasets.refcoco.sentences import Sentence
from prompts.trained_text import trained_text
from schemas.ids import Hasher, pick
from schemas.item import AbsentExpression, Expression
from schemas.limits import MAX_TEXT_CHARACTERS
from schemas.rejection import Rejected
from schemas.source import SplitInput
from schemas.text import clean


class _Candidate(msgspec.Struct, gc=False):
    """An expression that is absent from some images; its id is that of its first image by rank."""

    rank: int
    id: str
    text: str
    traits: Traits  # of the expression and of the names of its categories


class AbsentExpressions:
    """The expressions of a split, from which each image takes those that are absent from it."""

    def __init__(
        self,
        split: SplitInput,
        sentences: Mapping[ItemId, Sequence[Sentence]],
        names: BoxNames | None,
    ) -> None:
        """Collect the expressions of a split; the images of an evaluation get none.

        Args:
            split: the split that is read, or one of its parts.
            sentences: the sentences of the whole split, by image.
            names: the names of the boxes of the whole split; None: boxes have no names.
        """
        self._sentences = sentences
        self._names = names
        self._hasher = Hasher(split.seed, "absent", split.source, split.split)
        self._pool: Pool[AbsentExpression] = Pool()
        self._lengths: list[int] = []  # of the sentences that are long enough, in ascending order
        if not split.evaluation:
            self._collect()

    def of(self, number: ItemId, items: Sequence[Expression]) -> tuple[AbsentExpression, ...]:
        """Return expressions that are absent from an image, one for each of its sentences."""
        traits = self._shown(number)
        if traits is None or not self._lengths:
            return ()
        left = self._pool.without(traits)
        taken = []
        for item in items:
            length, position = self._hasher.ranks(str(number), item.id)
            words = _length(item.text)
            if words < MIN_WORDS:
                words = pick(self._lengths, length)
            chosen = left.take(words, position)
            if chosen is None:
                break
            taken.append(chosen)
        return tuple(taken)

    def _shown(self, number: ItemId) -> Traits | None:
        """Return all that an image may show, by its sentences and boxes; None if not known."""
        sentences = self._sentences[number]
        texts = {sentence.text for sentence in sentences}
        names: set[str] | None = set()
        if self._names is not None:
            names = self._names.images.get(number, names)
        elif {item.ref for item in sentences} != {i.ref for i in sentences if kinds_of(i.text)}:
            names = None
        if names is None:
            return None
        words = {word for text in (names if self._names else texts) for word in words_of(text)}
        kinds: set[int | str] = set().union(names, *map(kinds_of, texts | names))
        return Traits(words, kinds)

    def _collect(self) -> None:
        """Fill the pool: each text stands once, with the traits that it has in any image."""
        candidates: dict[str, _Candidate] = {}
        for candidate in self._candidates():
            reading = " ".join(candidate.text.lower().split())
            same = candidates.setdefault(reading, candidate)
            same.traits = Traits(
                same.traits.words | candidate.traits.words,
                same.traits.kinds | candidate.traits.kinds,
            )
            if candidate.rank < same.rank:
                same.rank, same.id, same.text = candidate.rank, candidate.id, candidate.text
        self._pool = Pool(
            (_length(each.text), AbsentExpression(each.id, each.text), each.traits)
            for each in sorted(candidates.values(), key=lambda each: (each.rank, each.id))
        )
        lengths = (_length(item.text) for each in self._sentences.values() for item in each)
        self._lengths = sorted(length for length in lengths if length >= MIN_WORDS)

    def _candidates(self) -> Iterator[_Candidate]:
        for number, sentences in self._sentences.items():
            for sentence in sentences:
                text, name = sentence.text, self._name(sentence)
                if len(text) > MAX_TEXT_CHARACTERS or is_relative(text) or name is None:
                    continue
                words, kinds = set(words_of(text)), kinds_of(text)
                if kinds or not words.isdisjoint(words_of(name)):
                    yield _Candidate(
                        self._hasher.rank(str(number), sentence.id, text),
                        sentence.id,
                        text,
                        Traits(words.union(words_of(name)), kinds.union(kinds_of(name), [name])),
                    )

    def _name(self, sentence: Sentence) -> str | None:
        """Return the category of a sentence's object: None where unknown, "" where none has any."""
        return self._names.regions.get(sentence.region_id) if self._names else ""


def _length(text: str) -> int:
    """Return the number of words of a text as a question shows it; 0 for a text without any."""
    try:
        return len(trained_text(clean(text)).split())
    except Rejected:
        return 0
