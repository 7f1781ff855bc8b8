"""What goes over the wire: a request of OpenAI's chat API with a picture in it, and its answer."""

from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec

from pipelines.recap.captioning.captioner import Answer


class Malformed(ValueError):
    """Says why an answer is none."""


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
        prompt: what is asked.
        jpeg: a picture, if any; it stands before the prompt's text, as models are taught.
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
        Malformed: it is not JSON, not of the API's shape, has no choice, or is nested too deeply.
    """
    try:
        completion = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Answer(
        text=choice.message.content or choice.message.refusal or "",
        finish=_FINISH.get(choice.finish_reason, "other"),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )
