"""The checks that a model's answer is a caption: each check finds one kind of bad answer.

The checks stand in the table `CHECKS`, in order. They read words only; whether a caption fits its
crop is decided by the scorer. Text in quotation marks is the text of a sign or a page, so no check
counts it. Some models write their thoughts before the answer, between `<think>` and `</think>`;
these thoughts are not part of a caption.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from unicodedata import name as unicode_name

from schemas.rejection import Reason, Rejected
from schemas.text import clean
from transforms.stopwords import ENGLISH, OTHERS

_OTHER_SCRIPTS = 0.3  # share of a caption's letters, above which it is not in English
_FOREIGN_WORDS = 2  # function words of another language: the least number of different words,
_FOREIGN_MARGIN = 3  # and the least ratio of their number to that of English function words
_SAME_SENTENCE = 3  # times
_SAME_WORDS = {1: 6, 2: 4, 3: 4}  # times in a row, by number of words; more words: thrice
_LONGEST_LOOP = 40  # words
WINDOW, DISTINCT, JUDGED_FROM = 4, 0.5, 40  # words; share of distinct windows; words of text

THINKS, THOUGHT = "<think>", "</think>"

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+")
_QUOTED = re.compile(
    r"\"[^\"]{1,400}\"|\u201c[^\u201d]{1,400}\u201d|\u00ab[^\u00bb]{1,400}\u00bb"
    r"|(?<!\w)['\u2018](?:[^'\u2019]|['\u2019](?=\w)){1,400}['\u2019](?!\w)"
)
_ENDED = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]*_]*$")
_SYLLABLES = re.compile(r"(?=\w)(.{1,10}?)\1{24,}")
_SPEECH = re.compile(
    r"\b(?:read|say|stat|writ|print|word|letter|inscri|titl|caption|slogan|text)\w*"
)

_CANNOT = (
    r"(?:can(?:no|['\u2019])t|can not|could(?:n['\u2019]t| not)|am (?:not able|unable)"
    r"|['\u2019]m (?:not able|unable)|do(?:n['\u2019]t| not) (?:have|know)|won['\u2019]t|will not)"
)
# Case matters: a sign that shouts I CANNOT is part of a scene.
_REFUSALS = (
    rf"\bI {_CANNOT}\b",
    r"\bI['\u2019]m (?:not able|unable|sorry|afraid)\b",
    r"\bI am (?:sorry|afraid)\b",
    r"\bI (?:do not|don['\u2019]t|can only|only) see (?:an|any|the|a) (?:image|picture|photo|crop)",
    r"\bI (?:must|have to) (?:decline|refuse)|\bI (?:apologi[sz]e|decline)\b|\b[Mm]y apologies\b",
    r"^(?:Sorry|Apologies|Unfortunately)[,.!]? (?:but )?(?:I|no image)\b",
    r"\b[Aa]s an? (?:AI|artificial intelligence|(?:large )?language model|text-based)\b.*\bI\b",
    r"\b[Nn]o (?:image|picture|photo|crop) (?:was|is|has been|seems to be|appears to be) "
    r"(?:\w+ )?(?:provided|attached|uploaded|shared|included|given|visible|available)",
    r"\b[Pp]lease (?:provide|upload|share|attach|send|supply|give me) "
    r"(?:me with |me )?(?:a|an|the|another|your|more|it)\b",
    r"^(?:Unable|Not able|Cannot|Can['\u2019]t) (?:to )?(?:\w+ )?"
    r"(?:see|view|describe|identify|assist|help|determine|process|access|provide|comply|answer)\b",
    r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|polic|terms|programming)",
    r"\b(?:image|picture|file|link) (?:did not|didn['\u2019]t|failed to|could not|couldn['\u2019]t)"
    r" (?:load|come through|be (?:loaded|displayed|opened))",
    r"^(?:N/?A|None|Null|Unknown|Nothing|Undefined)\.?$",
)
_REFUSAL = tuple(re.compile(pattern) for pattern in _REFUSALS)


def accept_caption(text: str, finish: str) -> str:
    """Return a model's answer as a caption, on one line and disarmed, if it passes all checks.

    Args:
        text: the model's answer.
        finish: the reason why the text ends: "stop", "length" (the limit of tokens) or "other".

    Raises:
        Rejected: the answer fails a check; the detail holds the text.
    """
    printable = text.encode("utf-8", "replace").decode()
    answer = after_thinking(printable)
    if answer is None:
        raise Rejected(Reason.CAPTION_CUT, f"thinks without coming to an end: {printable}")
    for reason, check in CHECKS.items():
        if problem := check(answer, finish):
            raise Rejected(reason, f"{problem}: {printable}")
    return clean(answer)


def after_thinking(text: str) -> str | None:
    """Return a model's answer without its thoughts; None where the text ends before the answer.

    "<think>A dog?</think>A cat." -> "A cat."; where the prompt's template opened the thought,
    the text has only the closing tag.
    """
    answer = text.rpartition(THOUGHT)[2]
    return None if THINKS in answer else answer


def _empty(text: str, _: str) -> str:
    return "" if any(map(str.isalpha, text)) else "expected words, found none"


def _cut(text: str, finish: str) -> str:
    if finish == "length":
        return "ends at the limit of tokens"
    if finish == "other" and not _ENDED.search(text.strip()):
        return "was stopped in the middle of a sentence"
    return ""


def _refusal(text: str, _: str) -> str:
    for sentence in _SENTENCE.split(_unquoted(text).strip()):
        for pattern in _REFUSAL:
            match = pattern.search(sentence)
            if match and not _SPEECH.search(sentence[: match.start()].lower()):
                return f"refuses with {match.group()[:60]!r}"
    return ""


def _repetitive(text: str, _: str) -> str:
    unquoted = _unquoted(text)
    words = _words(unquoted)
    sentences = Counter(" ".join(_words(sentence)) for sentence in _SENTENCE.split(unquoted))
    sentence, times = max(sentences.items(), key=lambda item: (item[1], item[0]))
    if times >= _SAME_SENTENCE and " " in sentence:
        return f"says {times} times {sentence[:60]!r}"
    if syllables := _SYLLABLES.search(unquoted):
        return f"goes on with {syllables[1]!r}"
    for length in range(1, min(_LONGEST_LOOP, len(words) // 2) + 1):
        if (loop := _loop(words, length)) is not None:
            return f"goes round in {' '.join(loop)[:60]!r}"
    windows = [tuple(words[start : start + WINDOW]) for start in range(len(words) - WINDOW + 1)]
    if len(words) >= JUDGED_FROM and len(set(windows)) < DISTINCT * len(windows):
        return f"has {len(set(windows))} different runs of {WINDOW} words among {len(windows)}"
    return ""


def _loop(words: list[str], length: int) -> list[str] | None:
    """Return a run of `length` words that is repeated too often; None where there is none."""
    needed = length * (_SAME_WORDS.get(length, 3) - 1)
    run = 0
    for index in range(length, len(words)):
        run = run + 1 if words[index] == words[index - length] else 0
        if run >= needed:
            return words[index - length + 1 : index + 1]
    return None


def _other_language(text: str, _: str) -> str:
    unquoted = _unquoted(text)
    letters = [letter for letter in unquoted if letter.isalpha()]
    strange = sum(not _latin(letter) for letter in letters)
    if strange > _OTHER_SCRIPTS * len(letters):
        return f"{strange} of {len(letters)} letters are of another script"
    # A capital inside a sentence begins a name: La Paz is no Spanish.
    lower = Counter(
        word.lower()
        for sentence in _SENTENCE.split(unquoted)
        for index, word in enumerate(_WORD.findall(sentence))
        if index == 0 or word == word.lower()
    )
    for language, function_words in OTHERS.items():
        foreign = lower.keys() & (function_words - ENGLISH)
        number = sum(lower[word] for word in foreign)
        english = sum(lower[word] for word in ENGLISH - function_words)
        if len(foreign) >= _FOREIGN_WORDS and number > _FOREIGN_MARGIN * english:
            return f"expected English, found {number} function words of {language}"
    return ""


def _unquoted(text: str) -> str:
    """Return a text without its quotations; a text that is one single quotation stays as it is."""
    rest = _QUOTED.sub(" ", text)
    return rest if any(map(str.isalpha, rest)) else text


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


@lru_cache(maxsize=4096)
def _latin(letter: str) -> bool:
    return unicode_name(letter, "").startswith(("LATIN", "FULLWIDTH LATIN"))


# In this order; each returns what is wrong with a text, or an empty string.
CHECKS: Mapping[Reason, Callable[[str, str], str]] = {
    Reason.CAPTION_EMPTY: _empty,
    Reason.CAPTION_CUT: _cut,
    Reason.CAPTION_REFUSAL: _refusal,
    Reason.CAPTION_REPETITIVE: _repetitive,
    Reason.CAPTION_OTHER_LANGUAGE: _other_language,
}
