"""The parts of a structured answer about a region: a phrase, a sentence, a paragraph, attributes.

A server that decodes by a schema answers with JSON of that form. Others answer with JSON in a fence
or amid words, with other spellings of keys, with a line for each part, or with prose alone, which
is then the paragraph. The paragraph is checked as any caption of a region is, and stands for the
whole; of the other parts, one that fails a check is left out. An example of an answer:

    {"phrase": "a red mug", "sentence": "A red mug stands on a shelf.", "paragraph": "The mug ...",
     "attributes": {"colour": ["red"], "material": ["china"], "shape": [], "state": [], "text": []}}
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from schemas import json_decoding
from schemas.item import Attribute, AttributeName
from schemas.rejection import Rejected
from schemas.text import clean
from transforms.caption_checks import CaptionedRegion, accept_caption
from transforms.caption_text import Finish, spoken
from transforms.sentences import caption_kind

PHRASE, SENTENCE, PARAGRAPH, ATTRIBUTES = "phrase", "sentence", "paragraph", "attributes"
NAMES: tuple[AttributeName, ...] = ("colour", "material", "shape", "state", "text")
MAX_VALUES = 5  # of an attribute
MAX_VALUE_CHARACTERS = 80

_SPELLINGS = {"color": "colour", "colours": "colour", "colors": "colour", "materials": "material"}
_SPELLINGS |= {"shapes": "shape", "states": "state", "texts": "text", "condition": "state"}
_SPELLINGS |= {"description": PARAGRAPH, "caption": PARAGRAPH}
_KEYS = (PHRASE, SENTENCE, PARAGRAPH, *NAMES)
_LABELLED = re.compile(
    rf"^\W*({'|'.join((*_KEYS, *_SPELLINGS))})\W*:\W*?([\w\"'(].*)$", re.IGNORECASE | re.MULTILINE
)
_NOTHING = {"", "none", "n/a", "na", "null", "unknown", "nothing", "not visible", "no text", "-"}

assert set(NAMES) < set(get_args(AttributeName))


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_VALUES = {"type": "array", "items": _text(MAX_VALUE_CHARACTERS), "maxItems": MAX_VALUES}
# The JSON schema of an answer.
SCHEMA = _object(
    {
        PHRASE: _text(120),
        SENTENCE: _text(300),
        PARAGRAPH: _text(1500),
        ATTRIBUTES: _object(dict.fromkeys(NAMES, _VALUES)),
    }
)


@dataclass(frozen=True, slots=True)
class CaptionParts:
    """The parts of an answer about a region that passed all checks."""

    paragraph: str
    others: tuple[str, ...] = ()  # the phrase and the sentence, those that there are
    attributes: tuple[Attribute, ...] = ()


def accept_parts(text: str, finish: Finish, region: CaptionedRegion) -> CaptionParts:
    """Return the parts of a model's answer, on one line each and disarmed.

    Args:
        text: the model's answer.
        finish: the reason why the text ends: "stop", "length" (the limit of tokens) or "other".
        region: the region that the answer is about.

    Raises:
        Rejected: the paragraph fails a check; the detail holds it.
    """
    answer, ending = spoken(text.encode("utf-8", "replace").decode(), finish)
    json = _json_parts(answer or "")
    parts = _lines(answer or "") if json is None else json
    if not isinstance(parts.get(PARAGRAPH), str):
        return CaptionParts(accept_caption(text, finish, region))
    paragraph = accept_caption(parts[PARAGRAPH], ending if json is None else "stop", region)
    short = replace(region, min_words=0)
    others = (_phrase(parts.get(PHRASE), short), _sentence(parts.get(SENTENCE), short))
    return CaptionParts(
        paragraph,
        tuple(dict.fromkeys(each for each in others if each and each != paragraph)),
        tuple(dict.fromkeys(_attributes(parts))),
    )


def _lines(answer: str) -> dict[str, str]:
    """Return the parts of an answer with a line for each, by name."""
    if "{" in answer:
        return {}
    return {_name(key): words for key, words in _LABELLED.findall(answer)}


def _json_parts(answer: str) -> dict[str, Any] | None:
    """Return the parts of an answer in JSON, by name; attributes stand among the others."""
    start = answer.find("{")
    try:
        value, _ = json_decoding.load_first(answer[start:]) if start >= 0 else (None, 0)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    parts = {_name(key): part for key, part in value.items()}
    inner = parts.get(ATTRIBUTES)
    if isinstance(inner, list):  # [{"name": "colour", "value": "red"}]
        inner = {
            each["name"]: each.get("value")
            for each in inner
            if isinstance(each, dict) and isinstance(each.get("name"), str)
        }
    named = {_name(key): part for key, part in inner.items()} if isinstance(inner, dict) else {}
    return {**parts, **named}


def _name(key: str) -> str:
    name = key.strip().lower()
    return _SPELLINGS.get(name, name)


def _phrase(part: Any, region: CaptionedRegion) -> str | None:
    text = part.strip().rstrip(".") if isinstance(part, str) else ""
    return _accepted(text, "phrase", region)


def _sentence(part: Any, region: CaptionedRegion) -> str | None:
    text = part.strip() if isinstance(part, str) else ""
    return _accepted(
        text if text.endswith((".", "!", "?", '"', "\u201d")) else f"{text}.", "sentence", region
    )


def _accepted(text: str, kind: str, region: CaptionedRegion) -> str | None:
    try:
        accepted = accept_caption(text, "stop", region)
    except Rejected:
        return None
    return accepted if caption_kind(accepted) == kind else None


def _attributes(parts: Mapping[str, Any]) -> Iterator[Attribute]:
    """Yield the attributes among the parts of an answer."""
    for name in NAMES:
        part = parts.get(name)
        values = (
            part
            if isinstance(part, list)
            else re.split(r"[,;]", part)
            if isinstance(part, str)
            else []
        )
        for value in values[:MAX_VALUES]:
            if not isinstance(value, str) or len(value) > MAX_VALUE_CHARACTERS:
                continue
            try:
                text = clean(value).strip(" .\"'") if name != "text" else clean(value)
            except Rejected:
                continue
            if text.lower() not in _NOTHING:
                yield Attribute(name, text)
