"""The check that a caption is about its object, and not about the picture or the request.

Words such as "image" are no fault where a picture is an object: a photo frame, an image printed on
a shirt, a screen that shows a photo. Nor is "cropped" of jeans or ears.
"""

import re
from functools import lru_cache

from transforms.caption_names import own_names

# Classes of objects that are pictures themselves.
_PICTURES = re.compile(
    r"\b(?:picture|photo|photograph|image|painting|poster|print|portrait|postcard|drawing|sketch"
    r"|artwork|mural|snapshot|polaroid|canvas|album)s?\b"
)

_PICTURE = r"(?:image|picture|photo(?:graph)?|pic|screenshot|snapshot)"
_DETAIL = (
    r"(?:close-?[ ]?up(?: (?:image|picture|photo(?:graph)?|view|shot|crop))?"
    r"|crop(?:ped)? (?:image|picture|photo(?:graph)?|view|area|region|section|part|portion"
    r"|version)"
    r"|crop(?! (?:top|of (?:corn|wheat|rice|hay))))"
)
_HOW = (
    r"(?:(?:close-up|closeup|cropped|detail|whole|full|entire|larger|overall|original|complete"
    r"|provided"
    r"|given|main|zoomed-in|magnified|blurry|global|wider|broader|bigger|current|above|attached"
    r"|uploaded|input|low-resolution|high-resolution|detailed|particular|specific|small|tight"
    r"|black-and-white|grainy|pixelated)[ ,]+)*"
)
# A picture as an object: what follows says so.
_OBJECT = (
    r"(?! (?:frames?|books?|albums?|rails?|cards?|booth|windows?|paper|lens|printed|hanging|hung"
    r"|mounted|pinned|taped|framed|on (?:the|a|an|its|his|her|their|it|one|each"
    r"|which)\b))(?![\w'\u2019-])"
)

_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\s*\n\s*")

# Words to the reader, before a caption and after it.
_CHATTER = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:certainly|sure|sure thing|of course|absolutely|okay|ok|alright|understood|got it"
        r"|no problem|gladly|yes|great|good question|great question|excellent|awesome|perfect"
        r"|happy to help)\b(?: ?[,.!:\u2014]| -)",
        r"^(?:here(?:'s| is| are)|below is|below are|the following is|this is) (?:a|an|the|your|my"
        r"|some) (?:[\w-]+,? ){0,4}(?:description|caption|paragraph|summary|account|breakdown"
        r"|portrayal|overview|analysis|depiction|response|answer)\b",
        r"^(?:a |the )?(?:detailed |full |thorough |brief )?(?:description|caption|analysis) of "
        r"(?:the|this|a|an)\b",
        r"\b(?:let me|allow me to|i will|i'll|i can|i'd|i would|i am going to|i'm going to) "
        r"(?:now )?"
        r"(?:describe|try|provide|give|focus|look|help|say|note|start|break|summari[sz]e|see"
        r"|observe)\b",
        r"\blet me know\b|\bfeel free to\b|\bhope (?:this|that) (?:helps|description|is)\b"
        r"|\bwould you like (?:me|to)\b|\bdo you want me\b|\bis there anything else\b"
        r"|\bif you (?:need|would like|have any|want|require|'d like)\b|\bany (?:other|further) "
        r"questions\b"
        r"|\bplease note that\b|\bhappy to (?:help|provide|describe|assist)\b",
    )
)
_REFERENCES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:^|\b(?:here|crop|image|picture|up|photo|that),? )(?:i|we) (?:can )?(?:clearly "
        r")?(?:see|notice|observe)\b",
        r"\bas (?:you )?(?:described|mentioned|requested|instructed|asked)\b(?! on)|\bas per "
        r"(?:the|your)\b",
        r"\b(?:described|mentioned|stated|referred to) (?:in|by) (?:the|your) (?:[\w-]+ )?"
        r"(?:scene|description|prompt|caption|context|request|text above)\b",
        r"\bas (?:stated|noted|indicated|specified|given|provided|seen|shown) (?:in|by) (?:the"
        r"|your|this) "
        r"(?:[\w-]+ )?(?:prompt|request|caption|context|description|scene|summary)\b",
        r"\b(?:the|your|this) (?:user|prompt|query|(?:provided|given) "
        r"(?:context|description|caption|information|class|label|text|details)"
        r"|(?:scene|global|image|picture) (?:description|caption|summary|context)"
        r"|description (?:provided|given|above|mentions|states|says)"
        r"|(?:full|entire|whole|complete|original|larger|broader|wider|bigger|global) "
        r"(?:scene|view|context|composition))\b",
        r"\b(?:based on|according to|given|judging (?:by|from)|considering) (?:the|your|this) "
        r"(?:\w+ )?"
        r"(?:description|context|information|caption|scene|summary|prompt|visual|details "
        r"provided)\b",
        r"\bbounding[- ]box|\b(?:the|this) annotat(?:ed|ion)|\b(?:masked|highlighted|cropped"
        r"|specified"
        r"|selected|zoomed[- ]in"
        r"|the given|the provided|the indicated) "
        r"(?:region|area|section|part|portion|object|segment)\b",
        r"\b(?:the|this) (?:region|segment|bounding box) (?:shows|contains|depicts|features"
        r"|displays)\b",
        r"\byou(?:'ve| have)? (?:asked|provided|mentioned|requested|described|gave|shared"
        r"|uploaded|sent"
        r"|are looking at|were given|gave me)\b",
        r"^to (?:describe|summari[sz]e|answer)\b|^in (?:summary|conclusion|short),"
        r"|^(?:the|this) (?:description|caption|answer|response) ",
    )
)
_SHOWN_DETAIL = re.compile(
    rf"\b(?:the|this|that|your) {_HOW}{_DETAIL}(?![\w'\u2019-])"
    rf"|^(?:an?|in) (?:[\w-]+ ){{0,3}}{_DETAIL}(?: (?:of|showing|that)\b)"
    rf"|\b(?:in|from|of) close-?up\b"
)
_FIELD = re.compile(r"\b(?:fields?|farm\w*|harvest\w*|soil|furrows?|wheat|corn|rice)\b")
_SHOWN_PICTURE = re.compile(
    rf"\b((?:in|of|from|within) )?(?:the|this|your) {_HOW}{_PICTURE}{_OBJECT}"
)
# What bears an image: "a crack crosses the image" of a screen.
_SURFACE = re.compile(
    r"\b(?:screen|display|monitor|projector|television|tv|mirror|reflection|billboard|shirt)s?\b"
)
_SHOWN_SCENE = re.compile(
    r"^(?:the|this) (?:[\w-]+ )?scene (?:shows|depicts|captures|features|presents|contains|is "
    r"of)\b"
    r"|^this (?:is|shows|depicts|appears to be) (?:an?|the) (?:[\w-]+ ){0,3}"
    r"(?:image|photo|photograph|picture|shot|view|crop|close-?up)\b"
)
_FRAMED = re.compile(
    r"^an? (?:[\w-]+ ){0,2}(?:close-?up|detailed|cropped|zoomed-in|high-resolution"
    r"|low-resolution|blurry"
    r"|macro|stock) (?:image|photo|photograph|picture|shot|view|snapshot)\b"
)
_INDEFINITE = re.compile(
    rf"(?<!^)\b(?:an?|another|one|two|three|four|five|six|several|some|many|framed|printed|its"
    rf"|his|her"
    rf"|whose|no) (?:[\w-]+,? ){{0,3}}{_PICTURE}s?\b"
)
_QUALIFIED = re.compile(rf"\b(?:printed|framed|hanging|displayed|painted) {_PICTURE}s?\b")
# The beginning of all patterns of `_of_object`, which compile slowly, one for each class.
_PICTURE_OF = re.compile(rf"^an? (?:[\w-]+ ){{0,3}}(?:{_PICTURE}|shot) of ")


def speech_of_request(text: str) -> str:
    """Return the words of a text that speak of the request or to the reader; else empty."""
    for sentence in _lines(text):
        for pattern in (*_CHATTER, *_REFERENCES):
            if match := pattern.search(sentence):
                return match.group().strip()
    return ""


def without_chatter(text: str) -> str:
    """Return a text without words to the reader at its beginning and end, if more is left.

    "Sure! Here is a description: A kitchen." -> "A kitchen."
    """
    pieces = _SENTENCE.split(text.strip())
    while len(pieces) > 1 and _is_chatter(pieces[0]):
        del pieces[0]
    while len(pieces) > 1 and _is_chatter(pieces[-1]):
        del pieces[-1]
    return " ".join(pieces)


def _is_chatter(sentence: str) -> bool:
    return any(pattern.search(_folded(sentence)) for pattern in _CHATTER)


def speech_of_picture(text: str, class_name: str | None) -> str:
    """Return the words of a text that speak of the picture or its crop; else empty.

    Args:
        text: a caption, without quotations.
        class_name: the class of its object; a picture may speak of a picture.
    """
    lower = _folded(text)
    for match in _SHOWN_DETAIL.finditer(lower):
        if not (match.group().endswith(" crop") and _FIELD.search(lower)):
            return match.group().strip()
    if class_name and _PICTURES.search(class_name.lower()):
        return ""
    of_object = (_of_object(class_name),) if class_name and _PICTURE_OF.search(lower) else ()
    for pattern in (_SHOWN_SCENE, _FRAMED, *of_object):
        if match := pattern.search(lower):
            return match.group().strip()
    named = [found.start() for each in (_INDEFINITE, _QUALIFIED) if (found := each.search(lower))]
    for match in _SHOWN_PICTURE.finditer(lower):
        if any(match.start() > start for start in named):
            return ""  # once a picture was named as an object, "the picture" is that one
        if match[1] or not _SURFACE.search(lower[: match.start()]):
            return match.group().strip()
    return ""


@lru_cache(maxsize=4096)
def _of_object(class_name: str) -> re.Pattern[str]:
    """Return the beginning of a caption that is of a picture of the object: "A photo of a "
    "zebra"."""
    between = r"(?:(?!is\b|are\b|printed\b|hangs\b|on\b)[\w'-]+ ){0,6}"
    return re.compile(f"{_PICTURE_OF.pattern}{between}{own_names(class_name)}")


def _lines(text: str) -> list[str]:
    return [line for line in _SENTENCE.split(_folded(text)) if line]


def _folded(text: str) -> str:
    return text.replace("\u2019", "'").lower().strip()
