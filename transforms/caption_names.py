"""The names by which a caption may call an object, and how often it uses them."""

import re
from collections.abc import Sequence
from functools import lru_cache

from transforms.sentences import sentences

PEOPLE = (
    *("person", "people", "man", "men", "woman", "women", "child", "children", "boy", "girl"),
    *("lady", "guy", "player", "kid", "baby", "toddler", "adult", "human", "individual"),
)

# Words before which the noun of a sentence's subject stands: "a tall man | in a coat".
_AFTER_NOUN = re.compile(
    r"of|with|in|on|at|by|near|under|over|behind|beside|between|from|to|for|as|and|or|but|that|which"
    r"|who|whose|where|while|around|above|below|against|across|along|into|onto|through|inside"
    r"|towards?|out|up|down|is|are|was|were|has|have|had|can|may|appears?|seems?|looks|features?"
    r"|stands?|sits?|lies?|hangs?|holds?|wears?|displays|shows|shown|seen|made|covered|placed"
    r"|positioned|located|rests?|consists?|exhibits|sports|there|wearing|holding|standing|sitting"
    r"|lying|hanging|walking|riding|eating|looking|facing|[,.;:!?]"
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[,.;:!?]")
_PRONOUN = re.compile(r"(?:^|(?<=[.!?])\s+)(?:It|Its|They|Their|He|His|She|Her)\b")


def pattern_of(name: str) -> str:
    """Return a regular expression for a class name, in singular and plural, without case."""
    return "(?:" + "|".join(map(re.escape, _forms(name.lower()))) + r")(?![\w'\u2019-])"


@lru_cache(maxsize=4096)
def own_names(class_name: str) -> str:
    """Return a regular expression for an object's names: its class, and the last word of that.

    "wine glass" is a "glass", too, and a person is a man, a woman or a child.
    """
    names = [class_name.lower()]
    for name in re.split(r"\s*[/,]\s*", re.sub(r"\s*\([^)]*\)", "", class_name.lower())):
        names += [name, name.rsplit(" ", 1)[-1]] if name else []
    if set(names) & set(PEOPLE):
        names += PEOPLE
    return "(?:" + "|".join(map(pattern_of, dict.fromkeys(names))) + ")"


def other_class(text: str, class_name: str, others: Sequence[str]) -> str:
    """Return the other class that a text names more often than its own; empty if there is none.

    The object counts wherever it is named by its class, by the noun of the first subject ("a
    retriever" for a dog), or by a pronoun at the beginning of a sentence. A text that begins with
    another subject than the other class may name that once more, as what surrounds the object.
    """
    lower = text.lower()
    own = _object(class_name)
    # Without the full name of the object, no part of it ("hot dog") stands for another class.
    rest = _class(class_name).sub(" ", lower)
    counts = {other: _count(_class(other), rest) for other in others}
    named = _count(own, lower) + len(_PRONOUN.findall(text))
    subject = _subject(lower)
    noun = subject.rpartition(" ")[2]
    if noun and not any(names.fullmatch(noun) for names in (own, *map(_class, others))):
        named += _count(_class(noun), lower)
    most = max(counts, key=lambda other: (counts[other], other), default="")
    begins = bool(most) and _count(_class(most), subject) > 0
    return most if most and counts[most] > named + (not begins) else ""


def described_other(text: str, class_name: str, others: Sequence[str]) -> str:
    """Return the other class that a text describes in place of its own; empty if it does not.

    The first subject of the text is of the other class, no subject of a sentence is of its own, and
    the other class is named more often. Where a longer name of another class holds that of its own
    ("teddy bear" beside a bear), it is the name of the other one.
    """
    own = _object(class_name)
    longer = [
        _class(name)
        for name in others
        if len(name.split()) > len(class_name.split()) and _class(class_name).search(name.lower())
    ]

    def count_own(words: str) -> int:
        for names in longer:
            words = names.sub(" ", words)
        return _count(own, words)

    subjects = [_subject(sentence.lower()) for sentence in sentences(text)]
    if not subjects or any(map(count_own, subjects)):
        return ""
    lower = text.lower()
    for other in others:
        names = _class(other)
        if _count(names, subjects[0]) and _count(names, lower) > count_own(lower):
            return other
    return ""


# Captions of a few images name more classes than `re` keeps patterns, and it compiles slowly.
@lru_cache(maxsize=4096)
def _class(name: str) -> re.Pattern[str]:
    """Return the pattern of a class name at the beginning of a word."""
    return re.compile(rf"\b{pattern_of(name)}")


@lru_cache(maxsize=4096)
def _object(class_name: str) -> re.Pattern[str]:
    """Return the pattern of an object's names at the beginning of a word."""
    return re.compile(rf"\b{own_names(class_name)}")


def _count(names: re.Pattern[str], lower: str) -> int:
    return len(names.findall(lower))


def _subject(lower: str) -> str:
    """Return the words of the first subject in a text, as far as the words after it tell."""
    subject: list[str] = []
    for word in _WORD.findall(lower):
        if not _AFTER_NOUN.fullmatch(word):
            subject.append(word)
        elif subject:
            break
    return " ".join(subject)


def _forms(name: str) -> list[str]:
    """Return a name in singular and plural: "bus", "buses"; "ponies", "pony"."""
    forms = [name, f"{name}s"]
    if name.endswith(("s", "x", "z", "ch", "sh")):
        forms.append(f"{name}es")
    if re.search(r"[^aeiou]y$", name):
        forms.append(f"{name[:-1]}ies")
    if name.endswith("ies"):
        forms.append(f"{name[:-3]}y")
    elif name.endswith("s") and not name.endswith("ss"):
        forms.append(name[:-1])
    if name.endswith("man"):
        forms.append(f"{name[:-3]}men")
    return sorted(set(forms), key=len, reverse=True)
