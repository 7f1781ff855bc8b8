"""Shouted phrases in small letters: some annotators left the caps lock on.

KEYBOARD IS WHITE IN COLOUR      becomes     keyboard is white in colour
some trees hAVE NO LEAVES        becomes     some trees have no leaves
"""

import re

_LONGEST_ACRONYM = 4  # letters of a word in capitals that may stand alone: STOP, NASA
_CAPS_LOCKED = re.compile(r"\b[a-z][A-Z]{3,}\b")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
# Words that stay in capitals in a phrase that is lowered.
_ACRONYMS = re.compile(
    "ATM|BMW|CD|CPU|CRT|DVD|GPS|ID|LCD|LED|NYC?|NYPD|PC|RV|SUV|TV|UFO|UK|UPS|USA?|USB|VCR|I"
)
_FIRST_PERSON = re.compile("I['\u2019](?:M|D|LL|VE)")


def unshouted(text: str) -> str:
    """Return a text in capitals in small letters; a word that may be an acronym stays as it is."""
    if not _is_shouted(text):
        return text
    return _WORD.sub(lambda match: _lowered(match.group()), text)


def _is_shouted(text: str) -> bool:
    if _CAPS_LOCKED.search(text):
        return True
    words = _WORD.findall(text)
    if not text.isupper() or all(map(_ACRONYMS.fullmatch, words)):
        return False
    return sum(len(word) > 1 for word in words) > 1 or len(words[0]) > _LONGEST_ACRONYM


def _lowered(word: str) -> str:
    if _ACRONYMS.fullmatch(word):
        return word
    return word.capitalize() if _FIRST_PERSON.fullmatch(word) else word.lower()
