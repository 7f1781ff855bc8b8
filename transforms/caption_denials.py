"""The check that a caption describes its object, and does not deny that it is there.

What an object lacks is part of its looks ("there is no rider on the horse"), and so is what nobody
can see of it ("the dog's face is not visible"): only a denial of the object itself counts.
"""

import re
from functools import lru_cache

from transforms.caption_names import own_names

_GENERIC = r"(?:objects?|subjects?|items?|such (?:thing|object))(?![\w'\u2019-])"
_SOME = (
    r"(?:(?:visible|discernible|identifiable|recogni[sz]able|clear|clearly|actual|distinct|apparent"
    r"|such|real) )*"
)
# What may follow a name that is not part of a longer one ("zebra crossing").
_END = (
    r"(?= ?(?:[.,;:!?)\u2014]|$)| (?:in|visible|present|here|shown|at|within|on|anywhere|to|that"
    r"|but|or|and|seen|among|inside|is|can|depicted|appearing|there|nor)\b)"
)
_NOT = r"(?:is|are|was|were|'s|does|do|did)(?: not|n't)"
_CERTAINLY = (
    r"(?:actually |clearly |really |readily |directly |immediately |in fact |easily |seem to "
    r"|appear to )*"
)
_DIM = (
    r"(?:blurry|blurred|dark|small|unclear|pixelated|grainy|distant|indistinct|obscured|noisy|tiny"
    r"|faint|far away|far|out of focus|low[- ]resolution|low in (?:quality|resolution)|dim|fuzzy)"
)
_TELL = (
    r"(?:\w+ly )?(?:make out|identify|tell|see|determine|discern|recogni[sz]e|describe|distinguish"
    r"|confirm|say)"
)
_SEEN = (
    r"(?:\w+ly )?(?:made out|identified|determined|discerned|recogni[sz]ed|seen|confirmed|described"
    r"|found)"
)

# The words before what a sentence denies.
_THERE_IS_NO = (
    r"\b(?:there (?:is|are|was|appears? to be|seems? to be)|there's|shows?|contains?|depicts?"
    r"|includes?|sees?|finds?) no "
)
_THERE_IS_NOT = rf"\bthere (?:is|are)(?: not|n't) {_CERTAINLY}(?:an?|any) "
_SHOWS_NO = (
    rf"\b(?:does|do|did)(?: not|n't) {_CERTAINLY}(?:show|contain|include|depict|feature|display"
    r"|represent|look like|resemble|be) (?:an?|any|the) "
)
_IS_NOT = (
    r"(?:^|\b(?:it|this|that|object|shown|here|which) )(?:is|are|was|'s)?(?: not|n't) "
    rf"{_CERTAINLY}(?:an?|the) "
)
_RATHER = r",? (?:not|rather than|instead of) an? (?:actual |real )?"
# The words after it, where nothing but "no" is before it.
_IS = (
    r"(?:is|are|was|were|can be|could be|appears?|seems?|exists?|visible|present|shown|seen"
    r"|found)\b"
)
# All sentences that deny something; the patterns of classes compile for milliseconds each.
_DENIES = re.compile(
    f"{_THERE_IS_NO}|{_THERE_IS_NOT}|\\bno .* {_IS}|{_SHOWS_NO}|{_IS_NOT}|{_RATHER}"
)

# What is denied here of the noun before it.
_PREDICATES = re.compile(
    rf"\btoo (?:\w+ly )?{_DIM}(?:(?:,| and| or|, and) (?:too )?{_DIM})* (?:for \w+ )?to "
    rf"(?:{_TELL}|be {_SEEN})\b"
    rf"|\b(?:cannot|can't|can not|could not|couldn't) be {_SEEN}\b"
    rf"|\b{_NOT} {_CERTAINLY}(?:visible|present|shown|seen|there|depicted|discernible|identifiable"
    r"|recogni[sz]able|in (?:the|this) (?:crop|image|picture|photo|close-up|frame|view))"
    r"(?! (?:in full|from|through))\b"
    r"|\b(?:is|are) (?:absent|nowhere|missing from (?:the|this) (?:crop|image|picture|photo|view)"
    r"|out of (?:view|sight|frame)|outside (?:the|this) (?:crop|frame|view|image))\b"
)
_UNKNOWN = re.compile(
    rf"\b(?:impossible|difficult|hard|not possible|unclear|challenging|tough)(?: to {_TELL})? "
    r"(?:exactly |precisely )?(?:what (?:it|this|the (?:object|subject|item)|exactly)"
    r"|(?:if|whether) (?:it|this|there) is|any (?:object|details?\b)|the (?:object|subject|item)\b)"
    r"|\bnothing (?:\w+ )?(?:is|can be|could be) (?:\w+ly )?(?:visible|seen|made out|identified)"
    r"|\b(?:does not|doesn't|do not|don't) (?:match|correspond to|fit) (?:the|your) (?:\w+ )?"
    r"(?:description|class|label|name|caption)"
    r"|\bmis-?label|\b(?:incorrect|wrong) (?:label|class)\b"
    r"|\b(?:i|we) (?:do not|don't|did not|didn't) (?:\w+ )?(?:see|find|recogni[sz]e|notice) "
    r"(?:an?|any|the)\b"
    r"|\bno (?:clear|good|full|visible|direct) (?:view|sign|trace|image|evidence) of\b"
    r"|\bno (?:details?|information|features?) (?:of (?:it|the object) )?(?:can|could) be\b"
)
# Words between a noun and what is denied of it.
_BETWEEN = re.compile(
    r"(?:is|are|was|were|be|being|been|it's|which|that|who|appears?|seems?|looks?|just|simply|quite"
    r"|rather|much|a|bit|slightly|very|also|and|but|or|so|far|still|itself|themselves|blurry|blurred"
    r"|dark|small|unclear|pixelated|grainy|distant|indistinct|obscured|low|resolution|[,;:])"
)
_WITHIN = re.compile(
    r"(?:of|behind|in|on|under|near|beside|around|above|below|at|inside|with|for|by)"
)
_ARTICLE = re.compile(r"(?:the|a|an|this|that|its|their|his|her|any)")
_SELF = re.compile(
    r"(?:it|this|that|object|subject|item|image|picture|photo|crop|close-?up|view|region|area"
    r"|resolution|quality|everything|anything|thing|scene|lighting|content)s?"
)


def denial(text: str, class_name: str | None) -> str:
    """Return the words in which a text denies its object; else empty.

    Args:
        text: a caption, without quotations.
        class_name: the class of its object; None: unknown.
    """
    for sentence in re.split(
        r"(?<=[.!?])\s+|\s*\n\s*", text.replace("\u2019", "'").lower().strip()
    ):
        match = _UNKNOWN.search(sentence)
        if not match and _DENIES.search(sentence):
            match = _denials(class_name).search(sentence)
        if match:
            return match.group()
        for match in _PREDICATES.finditer(sentence):
            if _of_object(sentence[: match.start()], class_name):
                return f"{sentence[: match.start()][-40:]}{match.group()}"
    return ""


@lru_cache(maxsize=4096)
def _denials(class_name: str | None) -> re.Pattern[str]:
    named = f"(?:{own_names(class_name)}|{_GENERIC})" if class_name else _GENERIC
    patterns = [
        rf"{_THERE_IS_NO}{_SOME}{named}{_END}",
        rf"{_THERE_IS_NOT}{_SOME}{named}{_END}",
        rf"\bno {_SOME}{named} {_IS}",
        rf"{_SHOWS_NO}{_SOME}{named}{_END}",
    ]
    if class_name:
        own = own_names(class_name)
        patterns += [rf"{_IS_NOT}{_SOME}{own}{_END}", rf"{_RATHER}{own}(?=[.,;!]|$)"]
    return re.compile("|".join(patterns))


def _of_object(before: str, class_name: str | None) -> bool:
    """Return whether the last noun of some words is the object, or a word for all that is seen."""
    words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*|[,;:]", before)
    while words and _BETWEEN.fullmatch(words[-1]):
        words.pop()
    if not words:
        return True
    for length in (3, 2, 1):
        noun = " ".join(words[-length:])
        named = class_name is not None and re.fullmatch(own_names(class_name), noun)
        if named or (length == 1 and _SELF.fullmatch(noun)):
            rest = [word for word in words[:-length][-3:] if not _ARTICLE.fullmatch(word)]
            # "The stripes of the zebra are too faint": nothing is denied of the zebra.
            return not (rest and _WITHIN.fullmatch(rest[-1]) and len(words) > length + 2)
    return False
