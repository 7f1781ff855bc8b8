"""The bytes of requests, read by plain JSON, and of answers."""

import base64
import json

import pytest

from pipelines.recap.captioning.captioner import Answer, NamedPicture, PromptImage
from pipelines.recap.client.chat import decode_answer, encode_request
from pipelines.recap.client.odd_answers import MalformedError

LIMITS = {"model": "m", "max_tokens": 5}


def test_a_request_is_what_the_api_takes() -> None:
    jpeg = bytes(range(256)) * 3
    body = json.loads(encode_request('Say "ü"\n', [NamedPicture("", jpeg)], LIMITS))
    (message,) = body.pop("messages")
    assert body == {"model": "m", "max_tokens": 5}
    assert message["role"] == "user"
    image, text = message["content"]
    assert text == {"type": "text", "text": 'Say "ü"\n'}
    kind, data = image.pop("image_url")["url"].split(",")
    assert image == {"type": "image_url"}
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(data, validate=True) == jpeg


def test_a_request_may_have_several_pictures_with_names() -> None:
    pictures = PromptImage(b"1", named=(NamedPicture("Its mask:", b"2"),)).pictures()
    (message,) = json.loads(encode_request("Say it.", pictures, LIMITS))["messages"]
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,MQ=="}},
        {"type": "text", "text": "Its mask:"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,Mg=="}},
        {"type": "text", "text": "Say it."},
    ]


def test_a_request_may_have_no_picture() -> None:
    body = json.loads(encode_request("Say it.", [], {"model": "m"}))
    assert body == {"model": "m", "messages": [{"role": "user", "content": "Say it."}]}


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        ({"message": {"content": "A cat."}, "finish_reason": "stop"}, Answer("A cat.")),
        ({"message": {"content": "A c"}, "finish_reason": "length"}, Answer("A c", "length")),
        ({"message": {"content": "A"}, "finish_reason": "tool_calls"}, Answer("A", "other")),
        ({"message": {"content": "A cat."}}, Answer("A cat.", "other")),
        ({"message": {"content": None}, "finish_reason": "length"}, Answer("", "length")),
        ({"message": {"content": "A \udc00."}}, Answer("A \N{REPLACEMENT CHARACTER}.", "other")),
        ({"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}, Answer("No.")),
    ],
)
def test_answers_are_read(choice, answer) -> None:
    assert decode_answer(json.dumps({"id": "1", "choices": [choice]}).encode()) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"choices": [',
        b"\xff\xfe",
        b"[]",
        b'{"object": "chat.completion"}',
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": "text"}]}',
    ],
)
def test_nonsense_is_malformed(body) -> None:
    with pytest.raises(MalformedError):
        decode_answer(body)
