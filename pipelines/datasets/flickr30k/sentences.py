"""The sentences of one picture of Flickr30k Entities: a text file of five lines.

    [/EN#137644/people Several men] play [/EN#137645/other cards] while around
    [/EN#137645/other a green table] .                                  (one line in the file)

A bracket holds the id of a chain, one or more types, and the words of a phrase. The text
outside of brackets is plain words. Phrases do not nest.
"""

import re
from collections.abc import Mapping

from pipelines.datasets.common.entries import Refused
from schemas.item import GroundedCaption, Mention, Passage
from schemas.rejection import Reason, Rejected

_SENTENCES = 5  # sentences of each picture

_PHRASE = re.compile(r"\[/EN#(?P<chain>[0-9]+)(?:/[^\s/\[\]]+)+ (?P<words>[^\[\]]+)\]")
_BRACKET = re.compile(r"[\[\]]")


def parse_sentences(
    content: bytes, image_id: str, chains: Mapping[str, tuple[str, ...]]
) -> tuple[list[GroundedCaption], list[Refused]]:
    """Return a picture's sentences, and the refused ones: malformed, missing, or beyond the fifth.

    Args:
        content: the content of the text file, UTF-8.
        image_id: the id of the picture; sentences have the ids `<image_id>#0` to `#4`.
        chains: the chains of that picture, each with the ids of its regions.
    """
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    captions: list[GroundedCaption] = []
    refused: list[Refused] = []
    for number in range(max(len(lines), _SENTENCES)):
        item_id = f"{image_id}#{number}"
        try:
            if number >= min(len(lines), _SENTENCES):
                raise Rejected(
                    Reason.MALFORMED, f"line {number + 1} of {len(lines)}, expected {_SENTENCES}"
                )
            captions.append(GroundedCaption(item_id, _passage(_text(lines[number]), chains)))
        except Rejected as cause:
            refused.append((item_id, cause))
    return captions, refused


def _text(line: bytes) -> str:
    try:
        return line.decode().removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Rejected(Reason.MALFORMED, f"not UTF-8: {error}") from None


def _passage(text: str, chains: Mapping[str, tuple[str, ...]]) -> Passage:
    """Return a sentence as pieces: words and mentions; a phrase without a region is plain words."""
    pieces: list[str | Mention] = []
    plain, end = "", 0
    for match in _PHRASE.finditer(text):
        plain += _outside(text, end, match.start())
        end = match.end()
        if region_ids := chains.get(match["chain"]):
            pieces += [plain, Mention(match["words"], region_ids)]
            plain = ""
        else:
            plain += match["words"]
    pieces.append(plain + _outside(text, end, len(text)))
    return tuple(piece for piece in pieces if piece)


def _outside(text: str, start: int, end: int) -> str:
    if bracket := _BRACKET.search(text, start, end):
        start = bracket.start()
        raise Rejected(
            Reason.MALFORMED,
            f"character {start + 1}: {text[start : start + 40]!r}, expected whole phrases like "
            "[/EN#137645/other cards]",
        )
    return text[start:end]
