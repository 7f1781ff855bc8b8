"""A secret is masked whole, in part, encoded and abridged; other words are left as they are."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest

from schemas.secret import Secret

KEY = "sk-Zq7/sEcr+3t-Q9xK1mW4"


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        quote(KEY, safe=""),
        KEY.replace("/", "\\/"),
        b64encode(f"Bearer {KEY}".encode()).decode(),
        b64encode(f"user:{KEY}".encode()).decode(),
        b64encode(KEY.encode()).decode(),
        urlsafe_b64encode(f"xBearer {KEY}".encode()).decode(),
        KEY[:8],
        KEY[:15],
        KEY[-8:],
        KEY[-15:],
        KEY[:-1],
        KEY[1:],
        f"{KEY[:7]}***{KEY[-4:]}",
        f"{KEY[:5]}...{KEY[-4:]}",
        f"{KEY[:10]}\u2026",
        f"********{KEY[-4:]}",
        f"{KEY[:6]}XXXXXXXX",
    ],
)
def test_a_secret_in_any_form(shown) -> None:
    text = Secret(KEY).masked(f"Incorrect API key provided: {shown}, and {shown}! Why?")
    assert text.startswith("Incorrect API key provided: ")
    assert text.endswith("! Why?")
    assert text.count("[key]") >= 2
    for part in (KEY[:5], KEY[-4:], shown):
        assert part not in text


@pytest.mark.parametrize(
    "text",
    [
        "a dog... and **two** cats \u2026 xxxx",
        "A word... of the key's first three letters, sk",
        "sk-learn, sk-Z and W4",
        json.dumps({"choices": [{"message": {"content": "x" * 50}}]}),
    ],
)
def test_other_words(text) -> None:
    assert Secret(KEY).masked(text) == text


def test_keys_that_are_words_leave_words() -> None:
    caption = "a beautiful horse beside a localhost sign, none of them empty"
    assert Secret("beautiful-horses").masked(caption) == caption
    assert Secret("none").masked(caption) == caption
    assert Secret("beautiful horse").masked(caption) == caption.replace("beautiful horse", "[key]")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["sk-Zq7/", "sk-Zq7/s", "a", "**", "k-Z**", "sk-Z**mW", "mW4-Q9x"]
)
def test_a_long_text_takes_no_long_time(piece) -> None:
    Secret(KEY).masked(piece * (1_000_000 // len(piece)))
