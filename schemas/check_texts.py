"""The rules of a record's texts: none holds what a tokenizer or a template would obey.

Our own placeholders (`<image>`, `<region1>`) stand in messages alone; their numbers are checked in
`schemas.check`. All other text entered through `schemas.text`, which disarms it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.rejection import Rejected
from schemas.text import clean, clean_turn

Row = Mapping[str, Any]

_PLACEHOLDER = re.compile(r"<(?:image|region[0-9]+)>")
_STAND_IN = "placeholder"  # a word, which no rule changes
# What is left of a placeholder that was disarmed: with a bracket of a later name it is a tag to
# `clean_turn`, but to no tokenizer.
_PARTED = re.compile(r"[<\N{FULLWIDTH LESS-THAN SIGN}\N{SMALL LESS-THAN SIGN}](?=\s+region)")


def text_problems(row: Row) -> Iterator[str]:
    """Yield the problems of the texts of a record: its messages, captions and references."""
    for number, message in enumerate(row["messages"], start=1):
        words = _PARTED.sub("(", _PLACEHOLDER.sub(_STAND_IN, message["content"]))
        yield from _problem(f"message {number}", words, clean_turn)
    for number, region in enumerate(row["regions"], start=1):
        for name, text in _texts_of(region):
            yield from _problem(f"region {number}: {name}", text, clean)
    for number, entry in enumerate(row["evaluation"], start=1):
        for name in ("references", "choices"):
            for text in (entry or {}).get(name) or ():
                words = _PLACEHOLDER.sub(_STAND_IN, text or _STAND_IN)
                yield from _problem(f"evaluation[{number}]: {name}", words, clean_turn)


def _texts_of(region: Row) -> Iterator[tuple[str, str]]:
    """Yield the texts of a region that come from captioners and owners, with their names."""
    if region["caption"] is not None:
        yield "caption", region["caption"]
    for caption in region["captions"] or ():
        if caption and (caption["text"] or "").strip():
            yield "captions", caption["text"]
    for attribute in region["attributes"] or ():
        if attribute and (attribute["value"] or "").strip():
            yield "attributes", attribute["value"]


def _problem(name: str, text: str, disarm: Callable[[str], str]) -> Iterator[str]:
    try:
        disarmed = disarm(text)
    except Rejected as cause:
        yield f"{name}: {cause.reason}: {cause.detail}"
        return
    if disarmed.split() != text.split():  # blanks are nothing to obey
        yield f"{name} is {text[:80]!r}, expected it disarmed, as {disarmed[:80]!r}"
