"""The words of a caption, as the published caption scores count them.

A caption is split as the Penn Treebank's tokenizer splits English, in lower case, without the 17
marks that the published scorer leaves out:

    "The man's t-shirt isn't red, but blue."
    ['the', 'man', "'s", 't-shirt', 'is', "n't", 'red', 'but', 'blue']

The longest token wins everywhere. Brackets become words (`-lrb-`), which are not on the list.
The rules cover captions; addresses, file names and most smileys are split otherwise than there.
"""

import re
import unicodedata
from collections.abc import Iterator

# The list of the published scorer, as it stands there: lower-cased brackets are not on it.
PUNCTUATION = frozenset([
    "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-",
    ".", "?", "!", ",", ":", "-", "--", "...", ";",
])  # fmt: skip

_PLAIN = re.compile(r"[a-z0-9 ]*")  # text without marks and capitals
_QUOTES = {**dict.fromkeys("‘’‚‛", "'"), **dict.fromkeys('"“”„«»‹›', "''")}
_SIGNS = str.maketrans(
    _QUOTES
    | dict.fromkeys("‒–—―", "--")
    | {"\xad": "", "…": "...", "£": "#", "€": "$", "¢": " cents"}
    | {sign: f" {unicodedata.normalize('NFKC', sign).replace('⁄', '/')} " for sign in "½¼¾⅓⅔"}
)
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "''", "&apos;": "'", "&nbsp;": " "}
_BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
)

# Words that are two tokens, with the length of the first.
_TWO = {"cannot": 3, "gonna": 3, "gotta": 3, "gimme": 3, "lemme": 3, "wanna": 3}

# Words that keep a full stop: everywhere, with a capital only, and before a number only.
_ABBREVIATIONS = (
    "ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|mich|minn|mo|mont|neb|nev|okla|penn"
    "|tenn|va|vt|wisc?|wyo|mrs?|ms|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev"
    "|maj|sgt|cpl|pvt|mt|capt|ste?|ave|pres|lieut|hon|brig|co?mdr|pfc|spc|supts?|det|jr|bros|sr|ph"
    "|blvd|rd|esq|inc|cos?|corp|pp?tys?|ltd|plc|bancorp|dept|bhd|assn|univ|intl|sys|tel|est|ext|sq"
    "|etc|vs|alex|wm|jos|cie|cf|treas|al|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?"
    "|wed|thu|thurs|fri|bldg|ft|adj|[a-z]"
)
_CAPITALISED = "(?-i:Az|Ark|Del|Ill|La|Mass|Miss|Ore|Pa|Tex|Wash)"
_NUMBERED = "ca|figs?|prop|nos?|art|pp|op"

_L = "(?:[^\\W\\d_][\u0300-\u036f]*)"  # a letter
_W = f"(?:{_L}|\\d)"  # a letter or digit
_NEGATED = re.compile(rf"{_L}{_W}*?(?=n['`]t(?!{_L}))|n['`]t(?!{_L})", re.IGNORECASE)  # is|n't
_KINDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_W}+",  # dog, 2nd
        rf"{_L}{_W}*(?:[.!?]{_L}{_W}*)+",  # left.right
        rf"{_W}+(?:_+{_W}+)+|_+",
        rf"[dlo]'{_L}{_L}+|[dlj]'|y'(?=all)|{_L}+[aeiou]'[aeiou]{_L}*",  # o'clock, hawai'i
        "c'mon|ma'am|n?e'er|ol'|s'mores|dunkin'|somethin'",
        rf"'n'|'(?:[smd]|re|ve|ll|n|em|til)(?!{_L})|'cause|'t(?=is|was)|'\d\d(?:s|(?=\s|$))",
        rf"{_W}(?:{_W}|[.,])*(?:-{_W}+)+|anti-",  # t-shirt
        r"[a-z0-9]+(?:-[a-z]+){0,2}(?:[/⁄][a-z0-9]+(?:-[a-z]+){0,2}){1,2}",  # black/white
        r"[-+]?(?:\d*(?:[.:,]\d+)+|\d+)",
        r"[a-z](?:\.[a-z])+\.?|ph\.d\.",  # u.s.
        rf"(?:{_ABBREVIATIONS}|{_CAPITALISED})\.",
        rf"(?:{_NUMBERED})\.(?=\s*\d)",
        r"(?-i:[A-Z]+(?:&[A-Z]+)+)",  # A&W
        r"</?[a-z][^<>]*>",
        r"[:;=]-?[()]",
        rf"[#@]{_L}{_W}*|#+|[*!?]+|''|``",
        r"\S",
    )
)
_ALONE = re.compile(r"[A-Za-z0-9]+(?=,?(?:\s|$))")  # a word before a blank: no longer token
_DASHES = re.compile("-{2,}")


def tokens(text: str) -> list[str]:
    """Return the tokens of a caption.

    >>> tokens("A dog (left) doesn't move.")
    ['a', 'dog', '-lrb-', 'left', '-rrb-', 'does', "n't", 'move']
    """
    lowered = text.lower()
    words = lowered.split() if _PLAIN.fullmatch(lowered) else _words(_without_signs(text))
    parted = (part for word in words for part in _parts(word))
    return [token for token in parted if token not in PUNCTUATION]


def _words(text: str) -> Iterator[str]:
    """Yield the longest token at each place of the text, in lower case."""
    at = 0
    while at < len(text):
        match = _ALONE.match(text, at) or _NEGATED.match(text, at)
        matches = [match] if match else [kind.match(text, at) for kind in _KINDS]
        end = max((match.end() for match in matches if match), default=at)
        yield from text[at:end].lower().translate(_BRACKETS).split()
        at = max(end, at + 1)
        while text[at : at + 1] == " ":
            at += 1


def _parts(word: str) -> tuple[str, ...]:
    cut = _TWO.get(word)
    return (word[:cut], word[cut:]) if cut else (word,)


def _without_signs(text: str) -> str:
    """Return the text with plain characters for signs, and a blank for each that is no text."""
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    text = _DASHES.sub(" - ", text.translate(_SIGNS))
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    hidden = character > "\uffff" or unicodedata.category(character)[0] in "CZ"
    return " " if hidden or "\ufe00" <= character <= "\ufe0f" else character
