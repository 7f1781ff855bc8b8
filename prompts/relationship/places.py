"""The words that lead to an object: "on", "out of", "on the side of"."""

import re

from prompts.relationship.nouns import ARTICLES, POSSESSIVES, words


def is_place(parts: list[str]) -> bool:
    """Return whether words that begin with a preposition can directly follow a form of "be"."""
    if len(parts) == 1:
        return parts[0] in _STANDING
    if parts[0] == "to":
        match = _PLACE.fullmatch(" ".join(parts))
        return match is not None and match["place"].split()[-1] in _DIRECTIONS
    if parts == ["near", "to"]:
        return True
    if parts[0] in {"up", "down"}:
        return parts[0] == "up" and parts[1:] in (["above"], ["against"], ["in"], ["on"])
    ends = _PHRASE.fullmatch(" ".join(parts[-2:])) or parts[-1] not in _NO_ENDS
    return bool(ends) and parts[0] not in _LEADING_ONLY


def leading(text: str) -> str | None:
    """Return words that lead to an object, with missing articles added; None for "road on".

    "on", "out of" and "in a bed with" stay, and "on side of" becomes "on the side of".
    """
    if text in PREPOSITIONS or _PHRASE.fullmatch(text):
        return text
    if text == "near to":
        return "near"
    if text in {"in inside of", "in the inside of"}:
        return "inside"
    if text in {"left of", "right of"}:
        return f"to the {text}"
    if match := _PLACE.fullmatch(text):
        place = match["place"]
        end = place.split()[-1]
        before = _PLACE_AFTER.get(end, {}).get(match["at"], match["at"])
        which = match["which"] or "the"
        return f"{before} {'the' if which in ARTICLES else which} {place} of"
    if _LONG_PHRASE.fullmatch(text):
        return None if _LATE_VERB.search(text) else text
    first, _, rest = text.partition(" ")
    lead = leading(rest) if is_adverb(first) and rest not in {"", "of"} else None
    return lead and f"{first} {lead}"


def is_adverb(word: str) -> bool:
    """Return whether a word can stand before others that lead to an object: "partially"."""
    return word in _ADVERBS or (word.endswith("ly") and word not in _NO_ADVERBS)


def one_of(listed: frozenset[str]) -> str:
    """Return the pattern of any word of a list."""
    return f"(?:{'|'.join(sorted(listed))})"


DETERMINERS = ARTICLES | POSSESSIVES - {"that", "this"}
PARTICLES = words("up down off out")
_ADVERBS = PARTICLES | words(
    "almost along also around back half inside just not outside over right still together"
)
_NO_ADVERBS = words("belly curly early family fly holly jelly lily ugly")
PREPOSITIONS = words(
    "about above across after against along alongside amid amidst among amongst around as at atop "
    "before behind below beneath beside between beyond by down during for from in inside into like "
    "near of off on onto opposite out outside over past through throughout to toward towards under "
    "underneath up upon via with within without"
)
# Prepositions that tell by themselves where something is.
_STANDING = words(
    "above across against along alongside amid among amongst around at atop behind below beneath "
    "beside between beyond by in inside near on opposite outside over under underneath within"
)
_NO_ENDS = words("for into onto out to")
_DIRECTIONS = words("left rear right side sides")
_LEADING_ONLY = words("about after as before during for from like of onto to with without")
PLACES = words("back base bottom center centre corner edge end front left middle rear right top")
_PARTS = PLACES | words(
    "arm arms body ceiling corners edges ends exterior face feet floor foot hand hands head inside "
    "interior leg legs neck nose outside roof shade shape shore shoulder shoulders side sides "
    "surface tip torso trunk underside wall wrist"
)
_P, _D = one_of(PREPOSITIONS), one_of(DETERMINERS)
_PLACE = re.compile(
    rf"(?!in sides? of|.+ (?:back|front) (?:bottom|top) of)(?P<at>{_P})(?: (?P<which>{_D}|both|each|either))? "
    r"(?P<place>(?:(?:back|bottom|far|front|hand|left|lower|near|other|right|top|upper) )*"
    rf"{one_of(_PARTS)}) of"
)
# A place is said to be "in the middle" and "on the left side", whatever was typed.
_PLACE_AFTER = {
    place: {wrong: right}
    for (wrong, right), places in {
        ("in", "at"): "base bottom end ends foot top",
        ("in", "on"): "edge edges exterior face left outside right roof shore side sides surface "
        "underside",
        ("on", "in"): "center centre interior middle shade shape",
    }.items()
    for place in places.split()
}
_PHRASE = re.compile(
    r"""all\ (?:around|over) | (?:ahead|alongside|atop|inside|off|out|outside)\ of | in\ (?:back|front)\ of
    | on\ top\ of | (?:across|away|far)\ from | from\ (?:above|behind|below|beneath|under|within)
    | (?:adjacent|close|next|on|opposite)\ to | (?:along|in\ contact|in\ line)\ with
    | in\ between""",
    re.VERBOSE,
)
_LATE_VERB = re.compile(r"\b\w+ing \w+(?: of)?$")  # in "on a bus looking at", who looks?
_LONG_PHRASE = re.compile(rf"{_P} {_D} (?!{_P}\b).+ {_P}")
