"""The division of a text into sentences, and the kinds of captions that follow from it."""

import re

from schemas.item import CaptionKind

MAX_PHRASE_WORDS = 10  # a longer text without a final stop is a sentence that lost its stop

_CLOSING = r"[\"'”’)\]]*"
# A sentence ends with a stop, followed by any closing quotes and brackets; the next sentence
# starts with any character but a small letter.
_END = re.compile(rf"(?<=[.!?…]){_CLOSING}\s+(?=[^\sa-z])|\s*\n+\s*")
_FINAL_STOP = re.compile(rf"[.!?…]{_CLOSING}$")
_SHORT_FORM = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Mt|Jr|Sr|No|Fig|vs|approx|ca|cf|e\.g|i\.e|a\.m|p\.m)|\b[A-Z])\.$"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; stops of abbreviations and numbers do not end a sentence."""
    pieces: list[str] = []
    start = 0
    for end in _END.finditer(text):
        sentence = text[start : end.end()].strip()
        if "\n" not in end.group() and _SHORT_FORM.search(sentence):
            continue
        pieces.append(sentence)
        start = end.end()
    pieces.append(text[start:].strip())
    return [sentence for sentence in pieces if sentence]


def whole_sentences(text: str) -> list[str]:
    """Return the sentences of a text that may break off, without a last one that has no end."""
    pieces = sentences(text)
    whole = pieces and _FINAL_STOP.search(pieces[-1]) and not _SHORT_FORM.search(pieces[-1])
    return pieces if whole else pieces[:-1]


def caption_kind(text: str) -> CaptionKind:
    """Return the kind of a caption by its form.

    Several sentences are a paragraph. A single one is a phrase if it has no final stop and at most
    `MAX_PHRASE_WORDS` words ("a red mug on a table"), and a sentence otherwise.
    """
    pieces = sentences(text)
    if len(pieces) > 1:
        return "paragraph"
    stopped = _FINAL_STOP.search(text.strip()) is not None
    return "sentence" if stopped or len(text.split()) > MAX_PHRASE_WORDS else "phrase"
