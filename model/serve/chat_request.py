r"""Requests in the form of OpenAI's chat completions, read and checked.

    {"model": "a", "regions": [[12, 30, 200, 310]], "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,..."}},
        {"type": "text", "text": "What is region1?"}]}]}

`regions` is ours: boxes x0, y0, x1, y1 in pixels of the upright picture, COCO's run lengths, or
objects with `bbox` and `mask`. Messages name them as `region1` or `<region1>`, see
`model.serve.composition`. The picture is part of the first message of the user; nothing is fetched.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from model.batch import Example
from model.errors import InputError
from model.picture import read_picture
from model.serve.answering import Settings
from model.serve.composition import Message, compose
from model.serve.opened import OpenedModel, check_regions, prompt_of
from schemas.errors import RegionForgeError
from schemas.json_decoding import decode
from schemas.limits import MAX_TURN_CHARACTERS

MOST_MESSAGES = 200
MOST_CHARACTERS = 1_000_000  # of all messages: more keep others waiting while they are read
_DATA = "data:image/"
_SHOWN = 60

_Text = Annotated[str, msgspec.Meta(max_length=MAX_TURN_CHARACTERS)]


class RequestError(Exception):
    """A request that is refused, with what OpenAI's clients are told of it."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code


class _ImageUrl(msgspec.Struct):
    url: str


class _Part(msgspec.Struct):
    type: str
    text: _Text | None = None
    image_url: _ImageUrl | str | None = None


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant"]
    content: _Text | list[_Part]
    name: str | None = None  # changes nothing


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _ResponseFormat(msgspec.Struct):
    type: Literal["text"]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)]
    model: str
    regions: list[Any] = []
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], msgspec.Meta(max_length=4)] | None = None
    # What clients send though it changes nothing, in the values for which this is true.
    n: Literal[1] | None = None
    frequency_penalty: Annotated[float, msgspec.Meta(ge=0, le=0)] | None = None
    presence_penalty: Annotated[float, msgspec.Meta(ge=0, le=0)] | None = None
    logprobs: bool | None = None
    response_format: _ResponseFormat | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None


_DECODER = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A request that can be answered.

    example: the prompt, ready to be joined with others.
    settings: of the answer.
    stream: the answer is sent word by word.
    include_usage: a stream ends with the numbers of tokens.
    """

    example: Example
    settings: Settings
    stream: bool
    include_usage: bool


def read_request(content: bytes, opened: OpenedModel, name: str, most_tokens: int) -> ChatRequest:
    """Return the request in the body of a call.

    Args:
        content: the body.
        opened: the model.
        name: the model's name; a request states it.
        most_tokens: of an answer.

    Raises:
        RequestError: it is none, or it cannot be answered.
    """
    try:
        body = decode(_DECODER, content)
    except msgspec.DecodeError as error:
        raise RequestError(f"the request cannot be read: {error}") from None
    if body.model != name:
        known = f"the model {body.model[:_SHOWN]!r} does not exist, but {name!r}"
        raise RequestError(known, status=404, param="model", code="model_not_found")
    if body.logprobs:
        raise RequestError("logprobs are not returned: leave it out", param="logprobs")
    return ChatRequest(
        example=_example(body, opened),
        settings=_settings(body, most_tokens),
        stream=bool(body.stream),
        include_usage=body.stream_options is not None and body.stream_options.include_usage,
    )


def _settings(body: _Body, most_tokens: int) -> Settings:
    stated = [n for n in (body.max_completion_tokens, body.max_tokens) if n is not None]
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    return Settings(
        max_new_tokens=min([*stated, most_tokens]),
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=(body.seed or 0) % 2**63,
        stop=tuple(each for each in stop if each),
    )


def _example(body: _Body, opened: OpenedModel) -> Example:
    messages, url = _plain(body.messages)
    try:
        picture = None if url is None else read_picture(_image_bytes(url))
    except InputError as error:
        raise RequestError(str(error), param="messages") from None
    try:
        check_regions(body.regions, None if picture is None else picture.size)
    except InputError as error:
        raise RequestError(str(error), param="regions") from None
    try:
        composed = compose(opened.style, messages, len(body.regions), picture=picture is not None)
        return opened.encode(prompt_of(composed, picture, body.regions))
    except RegionForgeError as error:
        raise RequestError(str(error), param="messages") from None


def _plain(messages: list[_Message]) -> tuple[list[Message], str | None]:
    """Return messages with their content as text, and the address of the picture."""
    plain, url = list[Message](), None
    users = 0
    for message in messages:
        role = "system" if message.role == "developer" else message.role
        users += role == "user"
        texts = [message.content] if isinstance(message.content, str) else []
        for part in [] if isinstance(message.content, str) else message.content:
            if part.type == "text" and part.text is not None:
                texts.append(part.text)
            elif part.type == "image_url" and part.image_url is not None:
                if url is not None:
                    raise RequestError("two pictures, expected one at most", param="messages")
                if role != "user" or users > 1:
                    raise RequestError(
                        "a picture in a later message, expected it in the first of the user",
                        param="messages",
                    )
                url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            else:
                raise RequestError(
                    f"a part of type {part.type[:_SHOWN]!r}, expected text or image_url with "
                    "their values",
                    param="messages",
                )
        plain.append({"role": role, "content": "\n".join(texts)})
    characters = sum(len(message["content"]) for message in plain)
    if characters > MOST_CHARACTERS:
        raise RequestError(
            f"messages of {characters} characters, expected {MOST_CHARACTERS} at most",
            param="messages",
        )
    return plain, url


def _image_bytes(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if not head.startswith(_DATA) or not head.endswith(";base64") or not comma:
        raise RequestError(
            f"the picture's address is {url[:_SHOWN]!r}, expected data:image/...;base64,...: "
            "nothing is fetched",
            param="messages",
        )
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"the picture is no base64: {error}", param="messages") from None
