"""Requests that a server refuses: what they are told, and that it goes on."""

import json
import zlib

import pytest
from PIL import Image

from tests.model.serve.requests import BOX, HELLO, URL, post, posted, served, url_of, user


def with_message(**changes):
    return {**HELLO, "messages": [{**HELLO["messages"][0], **changes}]}


@pytest.mark.parametrize(
    ("body", "status", "param", "message"),
    [
        (b"", 400, None, "the request cannot be read: Input data was truncated"),
        (b"\xff", 400, None, "the request cannot be read: "),
        (
            b'{"regions": ' + b"[" * 100_000,
            400,
            None,
            "the request cannot be read: JSON is nested too deep",
        ),
        (b"[]", 400, None, "the request cannot be read: Expected `object`, got `array`"),
        ({**HELLO, "messages": []}, 400, None, "the request cannot be read: Expected `array` of"),
        ({**HELLO, "tools": []}, 400, None, "the request cannot be read: Object contains unknown"),
        ({**HELLO, "n": 2}, 400, None, "the request cannot be read: Invalid enum value 2"),
        ({**HELLO, "max_tokens": 0}, 400, None, "the request cannot be read: Expected `int` >= 1"),
        ({**HELLO, "temperature": 9}, 400, None, "the request cannot be read: Expected `float`"),
        ({**HELLO, "logprobs": True}, 400, "logprobs", "logprobs are not returned"),
        ({**HELLO, "model": "gpt-4"}, 404, "model", "the model 'gpt-4' does not exist, but 'tiny'"),
        (with_message(role="tool"), 400, None, "the request cannot be read: Invalid enum value"),
        (with_message(role="assistant"), 400, "messages", "the prompt: its roles are"),
        (with_message(content="x" * 100_001), 400, None, "the request cannot be read: Expected"),
        (with_message(content="<image>"), 400, "messages", "<image> in a question: leave it out"),
        (with_message(content="<region1>"), 400, "messages", "'<region1>' in a question, and the"),
        (with_message(content="word " * 9000), 400, "messages", "the prompt: "),
        (
            {**HELLO, "messages": [user(*["x" * 99_999] * 11)]},
            400,
            "messages",
            "messages of 1099999 characters, expected 1000000 at most",
        ),
        (with_message(content=[{"type": "audio"}]), 400, "messages", "a part of type 'audio'"),
        (
            {**HELLO, "messages": [user("?", url="https://example.com/a.png")]},
            400,
            "messages",
            "the picture's address is 'https://example.com/a.png', expected data:image/...;base64",
        ),
        (
            {**HELLO, "messages": [user("?", url="file:///etc/passwd")]},
            400,
            "messages",
            "the picture's address is 'file:///etc/passwd', expected data:",
        ),
        (
            {**HELLO, "messages": [user("?", url="data:image/png;base64,@@@@")]},
            400,
            "messages",
            "the picture is no base64",
        ),
        (
            {**HELLO, "messages": [user("?", url="data:image/png;base64,YWJj")]},
            400,
            "messages",
            "the picture is no JPEG, PNG",
        ),
        (
            {**HELLO, "messages": [user("?", url=url_of(Image.new("1", (10_000, 8_001))))]},
            400,
            "messages",
            "a picture of 10000 x 8001 pixels, at most 80000000 in all",
        ),
        (
            {**HELLO, "messages": [user("?", url=URL), user("?", url=URL)]},
            400,
            "messages",
            "two pictures, expected one at most",
        ),
        ({**HELLO, "regions": [BOX]}, 400, "regions", "regions without a picture"),
        (
            {**HELLO, "regions": [[90, 2, 99, 9]], "messages": [user("?", url=URL)]},
            400,
            "regions",
            "region 1: (90.0, 2.0, 99.0, 9.0) has no part in a 64 x 48 image",
        ),
        (
            {**HELLO, "regions": [BOX] * 101, "messages": [user("?", url=URL)]},
            400,
            "regions",
            "101 regions, expected 100 at most",
        ),
        (
            {**HELLO, "regions": ["x", 3], "messages": [user("?", url=URL)]},
            400,
            "regions",
            "region 1: expected a box of four numbers",
        ),
        (
            {
                **HELLO,
                "regions": [{"size": [48, 64], "counts": "~~~"}],
                "messages": [user("?", url=URL)],
            },
            400,
            "regions",
            "region 1: ",
        ),
    ],
)
def test_hostile_requests_are_refused(regiongpt, body, status, param, message):
    answered, content = posted(regiongpt, body)
    error = content["error"]
    assert (answered, error["param"], error["type"]) == (status, param, "invalid_request_error")
    assert error["message"].startswith(message)


def test_a_body_beyond_the_limit_is_refused_also_when_it_is_packed(regiongpt):
    large = json.dumps({**HELLO, "user": "x" * 2**20}).encode()

    async def ask(address, _):
        plain = await post(address, large)
        packed = zlib.compress(large)
        assert len(packed) < 5000
        bomb = await post(address, packed, headers={"Content-Encoding": "deflate"})
        return plain, bomb, await post(address, HELLO)

    plain, bomb, later = served(regiongpt, ask, body=2**19)
    assert (plain[0], bomb[0], later[0]) == (413, 413, 200)
    assert plain[1]["error"]["message"] == "the request has more than 524288 bytes"
