"""The format of requests with an image, and of answers, in OpenAI's chat API.

A request: `{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url":
"data:image/jpeg;base64,..."}}, {"type": "text", "text": "Describe ..."}]}], "model": ...}`.
An answer: `{"choices": [{"message": {"content": "A red mug."}, "finish_reason": "stop"}],
"usage": {"prompt_tokens": 310, "completion_tokens": 5}}`.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from pipelines.recap.captioning.captioner import Answer, NamedPicture
from pipelines.recap.client.odd_answers import read_odd_answer
from schemas.json_decoding import decode
from transforms.yes_no import Token, yes_probability


class _Message(msgspec.Struct):
    content: str | None = None


class _Top(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Top] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


_FINISH: dict[str | None, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}
_DECODER = msgspec.json.Decoder(_Completion)
_ENCODER = msgspec.json.Encoder()


def encode_request(
    prompt: str, pictures: Sequence[NamedPicture], parameters: dict[str, Any]
) -> bytes:
    """Return the body of a request as JSON.

    Args:
        prompt: the text of the request.
        pictures: the images, if any; they precede the text, as in the training of most models.
        parameters: model, sampling, and other parameters of the API.
    """
    content: Any = prompt
    if pictures:
        content = [part for picture in pictures for part in _parts(picture)]
        content.append({"type": "text", "text": prompt})
    return _ENCODER.encode({"messages": [{"role": "user", "content": content}], **parameters})


def _parts(picture: NamedPicture) -> list[dict[str, Any]]:
    # Raw, since base64 needs no escapes, and a search for characters to escape takes time.
    url = msgspec.Raw(b'"data:image/jpeg;base64,%b"' % b64encode(picture.jpeg))
    image = {"type": "image_url", "image_url": {"url": url}}
    return [{"type": "text", "text": picture.name}, image] if picture.name else [image]


def decode_answer(body: bytes) -> Answer:
    """Return the first choice in the body of an answer, however the server shapes it.

    Raises:
        MalformedError: the body holds no answer.
        ComplaintError: it holds an error in place of an answer.
        Rejected: the server's content filter keeps the answer back.
    """
    try:
        completion = decode(_DECODER, body)
    except msgspec.DecodeError:
        return read_odd_answer(body)
    choice, usage = completion.choices[0], completion.usage or _Usage()
    finish, text = _FINISH.get(choice.finish_reason), choice.message.content
    if not text or finish is None:
        return read_odd_answer(body)
    details = usage.prompt_tokens_details or _Details()
    return Answer(
        text=text,
        finish=finish,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=msgspec.UNSET if details.cached_tokens is None else details.cached_tokens,
        yes=_yes(choice.logprobs),
    )


def _yes(logprobs: _Logprobs | None) -> float | msgspec.UnsetType:
    """Return the probability of yes against no; unset where no token tells it."""
    content = (logprobs and logprobs.content) or []
    tokens = [
        Token(each.token, each.logprob, {top.token: top.logprob for top in each.top_logprobs or ()})
        for each in content
    ]
    yes = yes_probability(tokens)
    return msgspec.UNSET if yes is None else yes
