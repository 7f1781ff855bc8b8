"""Replies in the form of OpenAI's chat completions: whole, in parts, and refusals."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from model.serve.answering import PendingAnswer
from model.serve.chat_request import ChatRequest

DONE = b"data: [DONE]\n\n"  # ends a stream
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Reply:
    """The reply to a request, in its two forms."""

    model: str
    request: ChatRequest
    identity: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))  # seconds since 1970

    def whole(self, answer: PendingAnswer) -> bytes:
        """Return the whole reply as JSON."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "logprobs": None,
            "finish_reason": answer.end,
        }
        return _encode(
            {**self._head("chat.completion"), "choices": [choice], "usage": self._usage(answer)}
        )

    def begin(self) -> bytes:
        """Return the first event of a stream."""
        return self._event({"role": "assistant", "content": ""})

    def part(self, text: str) -> bytes:
        """Return the event of a part of the answer."""
        return self._event({"content": text})

    def end(self, answer: PendingAnswer) -> bytes:
        """Return the last events of a stream."""
        events = self._event({}, answer.end)
        if self.request.include_usage:
            head = self._head("chat.completion.chunk")
            events += _sent({**head, "choices": [], "usage": self._usage(answer)})
        return events + DONE

    def _event(self, delta: dict[str, str], end: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return _sent({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.identity,
            "object": kind,
            "created": self.created,
            "model": self.model,
        }

    def _usage(self, answer: PendingAnswer) -> dict[str, int]:
        prompt = len(self.request.example.input_ids)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer.tokens,
            "total_tokens": prompt + answer.tokens,
        }


def refusal(message: str, status: int, param: str | None = None, code: str | None = None) -> bytes:
    """Return what a client is told of a request that is not answered, as JSON."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return _encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def refusal_event(message: str, status: int) -> bytes:
    """Return the events that end a stream which fails."""
    return b"data: " + refusal(message, status) + b"\n\n" + DONE


def model_list(name: str, created: int, longest: int | None) -> bytes:
    """Return the list of the one model, as JSON.

    Args:
        name: the model's.
        created: the time at which it was opened, seconds since 1970.
        longest: the most tokens of a prompt with its answer; None: no limit is known.
    """
    model = {"id": name, "object": "model", "created": created, "owned_by": "regionforge"}
    return _encode({"object": "list", "data": [{**model, "max_model_len": longest}]})


def _sent(value: dict[str, Any]) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"
