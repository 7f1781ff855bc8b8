"""The conversion of VCR's tokens to readable English, with mentions of objects.

    ["Do", [1, 2], "belong", "in", [0], "'", "s", "well", "-", "kept", "garden", "?"]

A list of numbers stands for objects; punctuation stands by itself, apostrophes and hyphens
included. The blanks around a hyphen or an apostrophe are lost and are guessed from the words
next to it. Some annotators wrote the class after the number ("1person"): that is one mention.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipelines.datasets.coco.categories import COCO_NAMES
from schemas.item import Mention, Passage
from schemas.rejection import Reason, Rejected

Token = str | list[int]

# VCR writes COCO's names without their blanks.
SPACED = {name.replace(" ", ""): name for name in COCO_NAMES}

_THOUSANDS = 3  # digits after a comma

_CLOSING = frozenset(".,;:!?)]}%…”") | {"''"}
_OPENING = frozenset("([{$#“") | {"``"}
_APOSTROPHES = frozenset("'’")
_CONTRACTED = frozenset(("s", "t", "re", "ve", "ll", "d", "m"))
_ELIDED = frozenset((("o", "clock"), ("y", "all"), ("ma", "am"), ("c", "mon")))

# fmt: off
# A word that begins a clause follows a dash, not a hyphen.
_CLAUSE = frozenset((
    "a", "an", "the", "he", "she", "it", "they", "we", "i", "you", "his", "her", "their", "its",
    "this", "that", "these", "those", "there", "who", "which", "what", "when", "where", "why",
    "how", "if", "as", "so", "and", "but", "or", "because", "since", "while", "although", "not",
    "no", "is", "are", "was", "were", "has", "have", "maybe", "probably", "perhaps", "like",
))
# fmt: on


def spaced_name(category: str) -> str:
    """Return a class name with blanks between its words: `wine glass` for `wineglass`."""
    return SPACED.get(category, category)


def to_passage(tokens: Sequence[Token], categories: Sequence[str]) -> Passage:
    """Return a text with a mention for each object in it.

    Args:
        tokens: the tokens of the text; lists hold 0-based positions in `categories`.
        categories: the class of each object of the image; its position is the object's region id.

    Raises:
        Rejected: a list is empty, or names an object that the image does not have (`malformed`).
    """
    for token in tokens:
        if isinstance(token, list):
            _check_objects(token, len(categories))
    units = list(_units(tokens, categories))
    words = [unit if isinstance(unit, str) else "" for unit in units]
    pieces: list[str | Mention] = []
    text = ""
    for unit, blank in zip(units, _blanks(words), strict=True):
        text += " " * blank
        if isinstance(unit, str):
            text += unit
            continue
        for part in _listed(unit, categories):
            if isinstance(part, Mention):
                pieces += [text, part] if text else [part]
                text = ""
            else:
                text += part
    return (*pieces, text) if text else tuple(pieces)


def _check_objects(objects: Sequence[int], count: int) -> None:
    if not objects:
        raise Rejected(Reason.MALFORMED, "a list of no objects in a text, expected one at least")
    for number in objects:
        if not 0 <= number < count:
            raise Rejected(
                Reason.MALFORMED, f"object {number} in a text, expected 0 to {count - 1}"
            )


def _units(tokens: Sequence[Token], categories: Sequence[str]) -> Iterator[Token]:
    """Yield the tokens, without class names that only repeat the object before them."""
    previous: Token = ""
    for token in tokens:
        doubled = (
            isinstance(token, str)
            and isinstance(previous, list)
            and len(previous) == 1
            and token.lower() == categories[previous[0]].lower()
        )
        if not doubled and token != "":
            yield token
        previous = token


def _listed(objects: Sequence[int], categories: Sequence[str]) -> Iterator[str | Mention]:
    distinct = list(dict.fromkeys(objects))
    for position, number in enumerate(distinct):
        if position:
            yield " and " if position == len(distinct) - 1 else ", "
        yield Mention(spaced_name(categories[number]), (str(number),))


def _blanks(words: Sequence[str]) -> list[bool]:
    """Return, for each word, True if a blank precedes it; an empty word stands for objects."""
    marks = _Punctuation(words)
    joins = [marks.joins(position) for position in range(len(words))]
    inside = [not (right or left) for (_, right), (left, _) in pairwise(joins)]
    return [False, *inside] if words else []


class _Punctuation:
    """The direction in which punctuation joins words; for quotes it depends on the open quotes."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._open: set[str] = set()

    def joins(self, position: int) -> tuple[bool, bool]:
        """Return whether a word is joined to the word before it, and to the word after it."""
        word = self._words[position]
        if word in _APOSTROPHES:
            return self._apostrophe(position)
        if word == '"':
            return self._quote(word)
        if word == "-":
            return self._hyphen(position)
        if word == "/" or self._parts_digits(position):
            return True, True
        clitic = word.lower() == "n't" or (word[:1] in _APOSTROPHES and word[1:].isalpha())
        return clitic or word in _CLOSING, word in _OPENING

    def _word(self, position: int) -> str:
        return self._words[position] if 0 <= position < len(self._words) else ""

    def _parts_digits(self, position: int) -> bool:
        """Return whether a mark stands inside a number: 8:46, 2.5 or 3,000."""
        before, after = self._word(position - 1), self._word(position + 1)
        marks = ".:," if len(after) == _THOUSANDS else ".:"
        return self._words[position] in marks and before.isdigit() and after.isdigit()

    def _hyphen(self, position: int) -> tuple[bool, bool]:
        before, after = self._word(position - 1), self._word(position + 1)
        compound = before.isalnum() and after.isalnum() and after.lower() not in _CLAUSE
        return compound or before == "-", compound

    def _quote(self, mark: str) -> tuple[bool, bool]:
        self._open ^= {mark}
        opened = mark in self._open
        return not opened, opened

    def _apostrophe(self, position: int) -> tuple[bool, bool]:
        if self._contracts(position):
            return True, True
        rest = range(position + 1, len(self._words))
        lonely = not any(
            self._words[position] in _APOSTROPHES and not self._contracts(position)
            for position in rest
        )
        if lonely and not self._open & _APOSTROPHES:
            before = self._word(position - 1)
            owner = before.endswith("s") or (before == "" and position > 0)
            return owner, not owner
        return self._quote("'")

    def _contracts(self, position: int) -> bool:
        before, after = self._word(position - 1).lower(), self._word(position + 1).lower()
        return position > 0 and (after in _CONTRACTED or (before, after) in _ELIDED)
