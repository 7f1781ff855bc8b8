"""The detokeniser: tokenised English as people write it, without blanks around its marks.

    person ' s arm , in a t - shirt .     becomes     person's arm, in a t-shirt.

Some owners ship sentences as tokens, so that punctuation, apostrophes and hyphens stand by
themselves. Only blanks between a mark and its neighbours go; letters and marks stay. Marks that
are attached to a word stay as they are, so text that was never tokenised hardly changes.
"""

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

from schemas.text import clean

_THOUSANDS = 3  # digits after a comma

# Text without a match needs no change: no word begins with a mark, and none is a cut-off "n't".
_TOKENISED = re.compile(r"(?:^| )[^\w ]| [nN]['’][tT](?: |$)")
_ENDING = re.compile(r"[.,;:!?]+[\"'”’´)\]}\\]*|['\"”’´][.,;:!?]+|[)\]}”…]|''")
_OPENING = frozenset("([{“") | {"``"}
_BEFORE_DIGITS = frozenset("$£€#")
_APOSTROPHES = frozenset("'’´`")
_CONTRACTED = frozenset(("s", "t", "re", "ve", "ll", "d", "m"))
_ELIDED = frozenset((("y", "all"), ("ma", "am"), ("c", "mon")))
_ELIDING = frozenset("odl")  # o'clock, d'Artagnan, L'Oreal
_DOMAINS = frozenset(("com", "org", "net", "gov", "edu"))
# A mark at a word's end, or a hyphen inside it: the text was not tokenised at hyphens.
_ATTACHED = re.compile(r"\w[,;:!?]$|\w-\w")

# fmt: off
# A word that begins a clause follows a dash, not a hyphen.
_CLAUSE = frozenset((
    "a", "an", "the", "he", "she", "it", "they", "we", "i", "you", "his", "her", "their", "its",
    "this", "that", "these", "those", "there", "who", "which", "what", "when", "where", "why",
    "how", "if", "as", "so", "and", "but", "or", "because", "since", "while", "although", "not",
    "no", "is", "are", "was", "were", "has", "have", "maybe", "probably", "perhaps",
    "with", "from", "near", "next", "behind", "at", "to",
))
# fmt: on


def detokenised(text: str) -> str:
    """Return a clean text without the blanks that a tokeniser put around its marks.

    A text whose blanks keep it disarmed, such as `USER :`, is returned as it is. Hyphens are
    joined where the text is all in small letters, as tokenisers leave it, and none of its words
    holds a mark; in other texts a hyphen between blanks is a dash, but for "T - shirt" and "5 - 6".
    """
    if not _TOKENISED.search(text):
        return text
    words = text.split(" ")
    parted = text == text.lower() and not any(map(_ATTACHED.search, words))
    blanks = blanks_before(words, hyphens_parted=parted)
    joined = "".join(
        [f" {word}" if blank else word for word, blank in zip(words, blanks, strict=True)]
    )
    return joined if clean(joined) == joined else text


def blanks_before(words: Sequence[str], *, hyphens_parted: bool = True) -> list[bool]:
    """Return, for each word of a text, whether a blank precedes it.

    Args:
        words: the words and marks; an empty word stands for a name, whatever it is.
        hyphens_parted: whether the tokeniser parted hyphenated words, such as "well - kept".
    """
    marks = _Punctuation(words, hyphens_parted=hyphens_parted)
    joins = [marks.joins(position) for position in range(len(words))]
    inside = [not (right or left) for (_, right), (left, _) in pairwise(joins)]
    return [False, *inside] if words else []


class _Punctuation:
    """The direction in which punctuation joins words; for quotes it depends on the open quotes."""

    def __init__(self, words: Sequence[str], *, hyphens_parted: bool) -> None:
        self._words = words
        self._hyphens_parted = hyphens_parted
        self._open: set[str] = set()
        single = [self._is_single_quote(position) for position in range(len(words))]
        self._single_quotes_from = [*accumulate(reversed(single), initial=0)][::-1]

    def joins(self, position: int) -> tuple[bool, bool]:
        """Return whether a word is joined to the word before it, and to the word after it."""
        word = self._words[position]
        if word.isalnum():
            return False, False
        if word in _APOSTROPHES:
            return self._apostrophe(position)
        if word == '"':
            return self._double_quote(position)
        if word == "-":
            return self._hyphen(position)
        if word == "/":
            between = 0 < position < len(self._words) - 1
            return between, between
        if self._parts_digits(position) or self._parts_letters(position):
            return True, True
        if word in _BEFORE_DIGITS:
            return False, self._word(position + 1)[:1].isdigit()
        return self._follows(position), word in _OPENING

    def _word(self, position: int) -> str:
        return self._words[position] if 0 <= position < len(self._words) else ""

    def _follows(self, position: int) -> bool:
        """Return whether a word always joins the word before it: a comma, a percent sign, n't."""
        word, before = self._words[position].lower(), self._word(position - 1)
        if word == "%":
            return before[-1:].isdigit()
        clitic = word in {"n't", "n’t"} or (word[:1] in _APOSTROPHES and word[1:] in _CONTRACTED)
        if clitic:
            return before == "" or before[-1].isalnum()
        return _ENDING.fullmatch(word) is not None

    def _parts_digits(self, position: int) -> bool:
        """Return whether a mark stands inside a number: 8:46, 2.5 or 3,000."""
        before, after = self._word(position - 1), self._word(position + 1)
        mark = self._words[position]
        inside = mark in {".", ":"} or (mark == "," and len(after) == _THOUSANDS)
        return inside and before.isdigit() and after.isdigit()

    def _parts_letters(self, position: int) -> bool:
        """Return whether a stop stands inside initials or an address: a.m. or example.com."""
        before, after = self._word(position - 1).lower(), self._word(position + 1).lower()
        if self._words[position] != "." or not (before and after):
            return False
        initials = len(before) == len(after) == 1 and (before + after).isalpha()
        initials = initials and self._word(position + 2)[:1] == "."
        return initials or after in _DOMAINS or before == "www"

    def _hyphen(self, position: int) -> tuple[bool, bool]:
        before, after = self._word(position - 1), self._word(position + 1)
        compound = before.isalnum() and after.isalnum()
        if self._hyphens_parted:
            chained = self._word(position + 2) == "-"  # jack-o-lantern, one-a-day
            compound = compound and (chained or after.lower() not in _CLAUSE)
        else:
            numbers = before.isdigit() and after.isdigit()
            letter = len(before) == 1 and before.lower() not in "ai" and after.isalpha()
            compound = compound and (numbers or (letter and before.isalpha()))
        return compound or before == "-", compound

    def _double_quote(self, position: int) -> tuple[bool, bool]:
        inches = self._word(position - 1).isdigit() and '"' not in self._words[position + 1 :]
        if inches and '"' not in self._open:
            return True, False
        return self._quote('"', position)

    def _quote(self, mark: str, position: int) -> tuple[bool, bool]:
        self._open ^= {mark}
        opened = mark in self._open and position < len(self._words) - 1
        return not opened, opened

    def _apostrophe(self, position: int) -> tuple[bool, bool]:
        if self._contracts(position):
            return True, True
        if self._words[position] == "´":
            return True, False
        others = self._single_quotes_from[position + 1]
        if "'" not in self._open and others % 2 == 0:  # unpaired
            before = self._word(position - 1)
            if before.endswith("s") or before.isdigit() or (before == "" and position > 0):
                return True, False
            if others == 0:
                ends = _ENDING.match(self._word(position + 1)) is not None
                return ends, not ends
        return self._quote("'", position)

    def _is_single_quote(self, position: int) -> bool:
        """Return whether a word seems to be a quotation mark, not an apostrophe."""
        mark = self._words[position].rstrip(".,;:!?")
        return mark in _APOSTROPHES and self._word(position + 1).lower() not in _CONTRACTED

    def _contracts(self, position: int) -> bool:
        """Return whether an apostrophe stands inside a word; in ' s ' on a shirt, none does."""
        before, after = self._word(position - 1).lower(), self._word(position + 1).lower()
        if position == 0 or not after:
            return False
        if before in _ELIDING or (before, after) in _ELIDED:
            return True
        if after == "t" and before.endswith("n"):
            return True
        closed = self._word(position + 2) in _APOSTROPHES
        quoted = closed and self._single_quotes_from[position + 1] % 2 == 1
        return after in _CONTRACTED and not quoted
