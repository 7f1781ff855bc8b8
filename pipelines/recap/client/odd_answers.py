"""Answers that differ from OpenAI's format, as several servers send them.

- `content` is a list of parts, or is empty while the model's thoughts stand beside it.
- `finish_reason` is another word ("eos_token"), an object or missing; `usage` has text or
  fractions.
- The answer is a stream of events although none was asked for, or is followed by "data: [DONE]".
- An error stands in the answer's place, with status 200: in the body, or in the choice.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.complaint import Complaint, complaint_in, page_title
from schemas import json_decoding
from schemas.rejection import Reason, Rejected
from schemas.text import clean, storable
from transforms.caption_text import THINKS, THOUGHT

_Finish = Literal["stop", "length", "other"]
_STOPPED = {"stop", "eos", "eos_token", "stop_sequence", "end_turn", "stop_token", "completed"}
_CUT = {"length", "max_tokens", "max_length", "model_length", "max_output_tokens"}
_FILTERED = {"content_filter", "safety", "prohibited_content", "blocklist", "spii", "sensitive"}
_SHOWN = 120  # characters of a body in a message


class MalformedError(ValueError):
    """The body of an answer holds no answer in a form that is known."""


class ComplaintError(Exception):
    """The body of an answer holds an error in place of an answer."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(str(complaint))
        self.complaint = complaint


def read_odd_answer(body: bytes) -> Answer:
    """Return the answer in a body; errors as in `chat.decode_answer`."""
    text = body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        raise MalformedError(f"a page for browsers, titled {_shown(page_title(text))}")
    if text.startswith(("data:", "event:", "id:", "retry:", ":")):
        return _answer_in(_joined(_events(text)), text)
    try:
        value, end = json_decoding.load_first(text)
    except ValueError:
        raise MalformedError(f"no JSON; it begins {_shown(text)}") from None
    if (rest := text[end:].strip()) and not rest.startswith("data:"):
        raise MalformedError(f"more after its end: {_shown(rest)}")
    return _answer_in(value, text)


def _answer_in(value: Any, text: str) -> Answer:
    """Return the answer in a completion, or raise what stands in its place."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    completion = value if isinstance(value, dict) else {}
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        if any(completion.get(key) for key in ("error", "detail", "message")):
            raise ComplaintError(complaint_in(value))
        raise MalformedError(f"no choices; it begins {_shown(text)}")
    if choice.get("error"):
        raise ComplaintError(complaint_in(choice))
    message = choice.get("message")
    if message is None and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}
    if not isinstance(message, dict) or not _is_content(message.get("content")):
        raise MalformedError(f"a choice without a message; it begins {_shown(text)}")
    said, finish = _said(message), _finish_of(choice.get("finish_reason"))
    if finish == "filtered":
        raise Rejected(Reason.CAPTION_FILTERED, "the server's content filter keeps the answer back")
    usage = completion.get("usage")
    counts: Mapping[str, Any] = usage if isinstance(usage, dict) else {}
    return Answer(
        text=storable(said),  # JSON may hold half a character, which no file can
        finish=finish,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
    )


def _said(message: Mapping[str, Any]) -> str:
    """Return the text of a message; thoughts without an answer are an answer that ends in them."""
    if text := _text_of(message.get("content")):
        return text
    if refusal := message.get("refusal"):
        return str(refusal)
    thoughts = _text_of(message.get("reasoning_content")) or _text_of(message.get("reasoning"))
    return THINKS + thoughts.replace(THOUGHT, " ") if thoughts else ""


def _is_content(content: Any) -> bool:
    return content is None or isinstance(content, str | list)


def _text_of(content: Any) -> str:
    """Return a content's text, which may be in parts; parts of other types are left out."""
    if isinstance(content, list):
        texts = [
            part if isinstance(part, str) else part.get("text")
            for part in content
            if isinstance(part, str) or _is_text(part)
        ]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type", "text") in {"text", "output_text"}


def _finish_of(reason: Any) -> _Finish | Literal["filtered"]:
    if isinstance(reason, dict):
        reason = reason.get("type") or reason.get("reason")
    word = reason.lower() if isinstance(reason, str) else ""
    if word in _FILTERED:
        return "filtered"
    return "stop" if word in _STOPPED else "length" if word in _CUT else "other"


def _count(number: Any) -> int | None:
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(number, bool) and 0 <= (count := int(float(number))) < 2**53:
            return count
    return None


def _events(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in a stream of server-sent events."""
    for line in text.split("\n"):
        field, _, data = line.partition(":")
        if field != "data" or data.strip() == "[DONE]":
            continue
        try:
            value = json_decoding.load(data)
        except ValueError:
            raise MalformedError(f"a stream with {_shown(data)}") from None
        if isinstance(value, dict):
            yield value


def _joined(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return a stream's events as one completion; the first error takes its place."""
    parts: dict[str, str] = {"content": "", "reasoning": "", "refusal": ""}
    finish, usage, chosen = None, None, False
    for event in events:
        if event.get("error"):
            return event
        usage = event.get("usage") or usage
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            continue
        chosen = True
        delta = choices[0].get("delta") or choices[0].get("message") or {}
        for name in ("content", "reasoning", "reasoning_content", "refusal"):
            parts[name.removesuffix("_content")] += _text_of(delta.get(name))
        finish = choices[0].get("finish_reason") or finish
    message = {"message": parts, "finish_reason": finish}
    return {"choices": [message] if chosen else [], "usage": usage}


def _shown(text: str) -> str:
    """Return the first characters of a server's text, harmless to a terminal, in quotes."""
    try:
        return repr(clean(text[:_SHOWN]))
    except Rejected:
        return "with no words"
