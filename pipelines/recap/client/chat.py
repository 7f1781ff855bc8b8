"""The bytes of a request of OpenAI's chat API with an image in it, and of its answer.

A request: `{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url":
"data:image/jpeg;base64,..."}}, {"type": "text", "text": "Describe ..."}]}], "model": ...}`.
An answer: `{"choices": [{"message": {"content": "A red mug."}, "finish_reason": "stop"}],
"usage": {"prompt_tokens": 310, "completion_tokens": 5}}`.
"""

from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec

from pipelines.recap.captioning.captioner import Answer


class MalformedError(ValueError):
    """The body of an answer is not one of the chat API."""


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


_FINISH: dict[str | None, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}
_DECODER = msgspec.json.Decoder(_Completion)
_ENCODER = msgspec.json.Encoder()


def encode_request(prompt: str, jpeg: bytes | None, parameters: dict[str, Any]) -> bytes:
    """Return the body of a request.

    Args:
        prompt: text of the request.
        jpeg: an image, if any; it stands before the text, as models are taught.
        parameters: model, sampling, and whatever else the API takes.
    """
    content: Any = prompt
    if jpeg is not None:
        # Raw: base64 needs no escapes, so it is not searched for any.
        url = msgspec.Raw(b'"data:image/jpeg;base64,%b"' % b64encode(jpeg))
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": prompt},
        ]
    return _ENCODER.encode({"messages": [{"role": "user", "content": content}], **parameters})


def decode_answer(body: bytes) -> Answer:
    """Return the first choice of an answer.

    Raises:
        MalformedError: it is no JSON of the API's shape, has no choice, or is nested too deeply.
    """
    try:
        completion = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from None
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Answer(
        text=choice.message.content or choice.message.refusal or "",
        finish=_FINISH.get(choice.finish_reason, "other"),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )
