"""The checks that a model's answer is a caption: each check finds one kind of bad answer.

The checks stand in the tables `CHECKS` and `REGION_CHECKS`, in order. They read words only; whether
a caption fits its crop is decided by the scorer. Text in quotation marks is the text of a sign or a
page, so no check counts it. What a server leaks of its template, thoughts before the answer, and
simple markup are left out first (`transforms.caption_text`); they are no part of a caption.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import name as unicode_name

from schemas.rejection import Reason, Rejected
from schemas.text import clean
from transforms.caption_denials import denial
from transforms.caption_meta import speech_of_picture, speech_of_request, without_chatter
from transforms.caption_names import other_class
from transforms.caption_text import Finish, markup, plain, spoken, whole
from transforms.stopwords import ENGLISH, OTHERS

WHOLE_SENTENCES = 2  # that make a region's caption, where an answer was cut; an image's takes one

_OTHER_SCRIPTS = 0.3  # share of a caption's letters, above which it is not in English
_FOREIGN_WORDS = 2  # function words of another language: the least number of different words,
_FOREIGN_MARGIN = 3  # and the least ratio of their number to that of English function words
_SAME_SENTENCE = 3  # times
_SAME_WORDS = {1: 6, 2: 4, 3: 4}  # times in a row, by number of words; more words: thrice
_LONGEST_LOOP = 40  # words
# By language: the function words that English lacks, and those that only English has of the two.
_FUNCTION_WORDS = {name: (words - ENGLISH, ENGLISH - words) for name, words in OTHERS.items()}
WINDOW, DISTINCT, JUDGED_FROM = 4, 0.5, 40  # words; share of distinct windows; words of text
_COPIED = 0.6  # share of a caption's windows of words that may stand in the global caption

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+")
_BLANKS = re.compile(r"[ \t]+")
_QUOTED = re.compile(
    r"\"[^\"]{1,400}\"|\u201c[^\u201d]{1,400}\u201d|\u00ab[^\u00bb]{1,400}\u00bb"
    r"|(?<!\w)['\u2018](?:[^'\u2019]|['\u2019](?=\w)){1,400}['\u2019](?!\w)"
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedRegion:
    """What is known of the region that a caption is about."""

    class_name: str | None = None  # in readable form: "wine glass"
    others: tuple[str, ...] = ()  # the other classes that are annotated on the image
    global_caption: str | None = None  # the caption of the whole image, if the prompt had it
    min_words: int = 0  # the least number of words of a detailed caption


def accept_caption(text: str, finish: Finish, region: CaptionedRegion | None = None) -> str:
    """Return a model's answer as a caption, on one line and disarmed, if it passes all checks.

    Args:
        text: the model's answer.
        finish: the reason why the text ends: "stop", "length" (the limit of tokens) or "other".
        region: the region that the caption is about; None: the whole image, whose caption may
            speak of the picture and be short.

    Raises:
        Rejected: the answer fails a check; the detail holds the text.
    """
    printable = text.encode("utf-8", "replace").decode()
    answer, finish = spoken(printable, finish)
    if answer is None:
        raise Rejected(Reason.CAPTION_CUT, f"thinks without coming to an end: {printable}")
    prose = plain(answer)
    kept = whole(prose, finish, WHOLE_SENTENCES if region else 1)
    judged = _Judged(answer, prose if kept is None else kept, kept is None, region)
    for reason, check in {**CHECKS, **(REGION_CHECKS if region else {})}.items():
        if problem := check(judged):
            raise Rejected(reason, f"{problem}: {printable}")
    return clean(judged.text if region else without_chatter(judged.text))


@dataclass(frozen=True, slots=True)
class _Judged:
    """An answer, as the checks read it."""

    answer: str  # without leaked tokens and thoughts
    text: str  # without markup, up to the last whole sentence
    cut: bool  # whether too little of it is whole
    region: CaptionedRegion | None


def _empty(judged: _Judged) -> str:
    return "" if any(map(str.isalpha, judged.text)) else "expected words, found none"


def _cut(judged: _Judged) -> str:
    return "ends in the middle of a sentence, and too few are whole" if judged.cut else ""


def _refusal(judged: _Judged) -> str:
    for sentence in _SENTENCE.split(_unquoted(judged.text).strip()):
        for pattern in _REFUSAL:
            match = pattern.search(sentence)
            if match and not _SPEECH.search(sentence[: match.start()].lower()):
                return f"refuses with {match.group()[:60]!r}"
    return ""


def _repetitive(judged: _Judged) -> str:
    unquoted = _unquoted(judged.text)
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
    windows = _windows(words)
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


def _other_language(judged: _Judged) -> str:
    unquoted = _unquoted(judged.text)
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
    for language, (theirs, ours) in _FUNCTION_WORDS.items():
        foreign = lower.keys() & theirs
        number = sum(lower[word] for word in foreign)
        english = sum(lower[word] for word in lower.keys() & ours)
        if len(foreign) >= _FOREIGN_WORDS and number > _FOREIGN_MARGIN * english:
            return f"expected English, found {number} function words of {language}"
    return ""


def _unquoted(text: str) -> str:
    """Return a text without its quotations; a text that is one single quotation stays as it is."""
    rest = _QUOTED.sub(" ", text)
    return rest if any(map(str.isalpha, rest)) else text


def _prose(judged: _Judged) -> str:
    """Return a text without its quotations, with single blanks between its words."""
    return _BLANKS.sub(" ", _unquoted(judged.text))


def _windows(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + WINDOW]) for start in range(len(words) - WINDOW + 1)]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


@lru_cache(maxsize=4096)
def _latin(letter: str) -> bool:
    return unicode_name(letter, "").startswith(("LATIN", "FULLWIDTH LATIN"))


def _markup(judged: _Judged) -> str:
    form = markup(judged.answer)
    return f"is {form}, not prose" if form else ""


def _denies(judged: _Judged) -> str:
    assert judged.region
    words = denial(_prose(judged), judged.region.class_name)
    return f"denies its object with {words[:60]!r}" if words else ""


def _meta(judged: _Judged) -> str:
    assert judged.region
    unquoted = _prose(judged)
    if words := speech_of_request(unquoted):
        return f"speaks of the request with {words[:60]!r}"
    words = speech_of_picture(unquoted, judged.region.class_name)
    return f"speaks of the picture with {words[:60]!r}" if words else ""


def _short(judged: _Judged) -> str:
    assert judged.region
    number, least = len(judged.text.split()), judged.region.min_words
    return f"has {number} words, expected {least} at least" if number < least else ""


def _other_class(judged: _Judged) -> str:
    region = judged.region
    if region is None or region.class_name is None:
        return ""
    other = other_class(_prose(judged), region.class_name, region.others)
    return f"names {other!r} more often than {region.class_name!r}" if other else ""


def _copies_global(judged: _Judged) -> str:
    assert judged.region
    words, context = _words(judged.text), _words(judged.region.global_caption or "")
    if words == context:
        return "is the caption of the whole image"
    windows, known = _windows(words), set(_windows(context))
    copied = sum(window in known for window in windows)
    if windows and copied > _COPIED * len(windows):
        return f"has {copied} of {len(windows)} runs of {WINDOW} words from the global caption"
    return ""


# In this order; each returns what is wrong with an answer, or an empty string.
CHECKS: Mapping[Reason, Callable[[_Judged], str]] = {
    Reason.CAPTION_EMPTY: _empty,
    Reason.CAPTION_CUT: _cut,
    Reason.CAPTION_REFUSAL: _refusal,
    Reason.CAPTION_REPETITIVE: _repetitive,
    Reason.CAPTION_OTHER_LANGUAGE: _other_language,
}

# Further checks, of captions of regions.
REGION_CHECKS: Mapping[Reason, Callable[[_Judged], str]] = {
    Reason.CAPTION_MARKUP: _markup,
    Reason.CAPTION_DENIES: _denies,
    Reason.CAPTION_META: _meta,
    Reason.CAPTION_SHORT: _short,
    Reason.CAPTION_OTHER_CLASS: _other_class,
    Reason.CAPTION_COPIES_GLOBAL: _copies_global,
}
