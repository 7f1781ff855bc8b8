"""The category that an answer names: the normalisation before the exact match.

An answer names a category if, in this order,

1. the answer is the name, letter for letter, but for blanks at both ends;
2. it is the name in lower case, without a full stop at the end ("Dog." for "dog");
3. what stands before its first comma is the name, in the same form ("dog, brown").

The first two let a name hold a comma, or differ from another name by its case only. Of names that
are equal in lower case, that spelling is the one's that is written so, else the first one's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import InputFileError
from train.evaluation.answers import Answer, AskedRegion


@dataclass(frozen=True)
class Names:
    """The names of a label set, by every spelling that an answer may have."""

    spellings: Mapping[str, str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Return the names of a label set, which are in order."""
        names = list(names)
        spellings: dict[str, str] = {}
        for name in names:
            spellings.setdefault(_plain(name), name)
        return cls(spellings | {name: name for name in names})

    def meant(self, text: str) -> str | None:
        """Return the name that an answer gives, or None.

        >>> Names.of(["dog", "hot dog"]).meant("Hot dog.")
        'hot dog'
        """
        for spelling in (text.strip(), _plain(text), _plain(text.partition(",")[0])):
            if (name := self.spellings.get(spelling)) is not None:
                return name
        return None


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A region that was asked about, its category, and the category that was answered."""

    answer: Answer
    region: AskedRegion
    truth: str
    name: str | None  # None: there is no answer, or it is outside the names

    @property
    def outside(self) -> bool:
        """Whether there is an answer that names no category of the label set."""
        return self.answer.text is not None and self.name is None

    @property
    def area(self) -> float:
        """The owner's area, in square pixels; the box's where the owner states none."""
        x0, y0, x1, y1 = self.region.bbox
        return (x1 - x0) * (y1 - y0) if self.region.area is None else self.region.area


def classified(answers: Sequence[Answer]) -> list[Classified]:
    """Return the regions asked about with their answers, in order of image id and region id.

    The names are an entry's choices; for a label set that is too large to be stored with each
    entry, the references of all answers.

    Raises:
        InputFileError: an entry has no reference, asks about a region that its record lacks, or
            asks about the region of another entry.
    """
    for answer in answers:
        if not answer.references:
            raise InputFileError(f"{_entry(answer)} has no reference, expected a category's name")
    every = Names.of(sorted({answer.references[0] for answer in answers}))
    by_choices: dict[tuple[str, ...], Names] = {(): every}
    results: dict[tuple[str, str, str, str], Classified] = {}
    for answer in answers:
        if answer.choices not in by_choices:
            by_choices[answer.choices] = Names.of(answer.choices)
        key = (answer.source, answer.split, answer.group, answer.item_id)
        if key in results:
            first = results[key].answer
            raise InputFileError(
                f"{_entry(answer)} asks about the region of {_entry(first)}, expected another"
            )
        results[key] = Classified(
            answer=answer,
            region=_region(answer),
            truth=answer.references[0],
            name=None if answer.text is None else by_choices[answer.choices].meant(answer.text),
        )
    return [
        results[key] for key in sorted(results, key=lambda key: (*key[:2], *map(_rank, key[2:])))
    ]


def _rank(name: str) -> tuple[int, str, str]:
    """Return the rank of an owner's id: numbers in their order, then other ids as text.

    >>> sorted(["a", "10", "9"], key=_rank)
    ['9', '10', 'a']
    """
    if name.isascii() and name.isdigit():
        digits = name.lstrip("0")
        return len(digits), digits, name
    return 2**31, "", name


def _region(answer: Answer) -> AskedRegion:
    for region in answer.regions:
        if region.region_id == answer.item_id:
            return region
    raise InputFileError(
        f"{_entry(answer)} asks about region {answer.item_id!r}, which is not among the "
        f"{len(answer.regions)} regions of its record"
    )


def _entry(answer: Answer) -> str:
    return f"{answer.record!r} turn {answer.turn} position {answer.position}"


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).removesuffix(".").rstrip()
