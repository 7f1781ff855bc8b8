"""The names of regions in a sentence: "the horse", "an umbrella", "hair", "shoes"."""

import re
from dataclasses import dataclass

from prompts.relationship.nouns import (
    ANIMALS,
    ARTICLES,
    ED_NOUNS,
    ING_NOUNS,
    LIKENESSES,
    MASS,
    NO_NAMES,
    NOT_IN_NAMES,
    NUMERALS,
    ONES,
    PERSONS,
    PLURAL_ONLY,
    PLURALS,
    POSSESSIVES,
    SINGULARS,
    UNIQUE,
    words,
)


@dataclass(frozen=True, slots=True)
class Name:
    """The name of one thing or of several: its words without an article, and what it is about."""

    text: str
    main: str  # the main word, in lower case and in the singular: "horse" for "brown horses"
    several: bool
    words: tuple[str, ...]  # in lower case

    @property
    def definite(self) -> str:
        """The name with "the", unless it begins with a possessive."""
        return self.text if self.words[0] in POSSESSIVES else f"the {self.text}"

    @property
    def indefinite(self) -> str | None:
        """The name with "a" or "an", bare in the plural and for a mass; None for what is unique."""
        if self.main in UNIQUE:
            return None
        bare = self.several or self.is_mass or self.words[0] in POSSESSIVES | NUMERALS
        return self.text if bare else f"{article(self.words[0])} {self.text}"

    @property
    def is_mass(self) -> bool:
        """Whether the name has no plural: "hair"."""
        return not self.several and self.main in MASS

    @property
    def is_bare(self) -> bool:
        """Whether nothing is said but the main word: "hair", but not "black hair"."""
        return len(self.words) == 1

    @property
    def is_person(self) -> bool:
        """Whether the name is that of persons."""
        return self._is_alive and (self.main in PERSONS or self.main.endswith(("man", "woman")))

    @property
    def is_animate(self) -> bool:
        """Whether the name is that of persons or animals."""
        return self.is_person or (self._is_alive and self.main in ANIMALS)

    @property
    def _is_alive(self) -> bool:
        return not LIKENESSES & set(self.words[:-1]) and self.main != "snowman"


def parse_name(name: str) -> Name | None:
    """Return a name, or None for what names nothing: "plugged", "red", "man on bench", "is"."""
    parts = name.strip(_MARKS).split()
    if len(parts) > 1 and parts[0].lower() in ARTICLES:
        parts = parts[1:]
    lower = tuple(part.lower().strip(_MARKS) for part in parts)
    heads = _before_of(lower)
    if (
        not heads
        or lower[-1] in {"", "of"}
        or NOT_IN_NAMES & set(lower[1:])
        or lower[0] in _NO_BEGINNINGS
    ):
        return None
    head = heads[-1]
    if not re.search("[a-z]{2}", head) or head in NO_NAMES or _is_verbal(head):
        return None
    if any(word.endswith("ing") and _is_verbal(word) for word in set(lower[1:-1]) - _MODIFIERS):
        return None
    return Name(" ".join(parts), _singular(head), is_plural(name), lower)


def is_plural(name: str) -> bool:
    """Return whether a name is plural, by the form of its main word."""
    parts = re.split(r" (?:of|in|on|with|at|from|for) ", name.lower().strip(_MARKS))[0].split()
    head = parts[-1] if parts else ""
    if parts[-2:-1] == ["and"] or head in PLURALS:
        return True
    if head in SINGULARS:
        return False
    ends = head.endswith("s") and not head.endswith(("ss", "us", "'s"))
    return ends or head.endswith(("men", "people", "children"))


def _before_of(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts[: parts.index("of")] if "of" in parts else parts


def _is_verbal(word: str) -> bool:
    """Return whether a word is a participle, and no noun such as "bed" or "railing"."""
    if word.endswith("ed"):
        return len(word) > 3 and word not in ED_NOUNS
    return word.endswith("ing") and word not in ING_NOUNS


def _singular(word: str) -> str:
    if one := ONES.get(word):
        return one
    if word.endswith(("men", "people")) and word not in SINGULARS:
        return f"{word[:-3]}man" if word.endswith("men") else word
    if not is_plural(word) or word in PLURALS | PLURAL_ONLY:
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def article(word: str) -> str:
    """Return "an" before the sound of a vowel: "an hour", "an SUV", but "a uniform"."""
    if word in _LETTERS or (len(word) == 1 and word in "aefhilmnorsx8"):
        return "an"
    vowel = word[:1] in "aeiou8" or word.startswith(("hour", "honest", "11", "18"))
    return "an" if vowel and not _CONSONANTS.match(word) else "a"


_MARKS = "\"'.,;: "
_NO_BEGINNINGS = NOT_IN_NAMES - POSSESSIVES
_MODIFIERS = words(
    "boxing changing cooking cutting dining dividing drinking filing fishing hanging landing "
    "leading living packing playing racing reading rolling running serving sewing shopping sitting "
    "skating skiing sleeping sliding spinning steering swimming training traveling viewing "
    "waiting walking washing wedding writing"
)
_LETTERS = words("hdtv html lcd led lg mp3 mri nfl rv suv x-ray xbox")
_CONSONANTS = re.compile(
    "uni(?!m|n)|us(?:a|e|u)|ut(?:e|ensil)|uri|eu|ewe|one\\b|one-|once|u-|ukulele|utility"
)
