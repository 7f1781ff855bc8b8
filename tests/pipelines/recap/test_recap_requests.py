"""What `recap` sends is what the flags give; the check of the server is first, or left out."""

import json
from typing import Any

import pytest

from pipelines.recap.client.parameters import parse_extra_body
from schemas.errors import UsageError

KEY = "sk-Zq7secretQ9x"
FLAGS = ["--model", "stub", "--no-filter", "--limit", 2, "--per-image", 1]


def kinds(server: Any) -> set[str]:
    """What was asked of a server, without numbers."""
    return {line["id"].split("/")[0] for line in server.log()}


def test_only_what_is_given_is_sent(serve, recap_words, tmp_path) -> None:
    server = serve()
    status, printed = recap_words(tmp_path / "a", "--endpoint", server.url, *FLAGS)
    assert status == 0, printed
    assert {name for line in server.log() for name in line["parameters"]} == {
        *("model", "stream", "max_tokens")
    }
    server.forget()
    given = ["--top-p", 0.9, "--extra-body", '{"top_k": 20}', "--region-tokens", 90]
    assert recap_words(tmp_path / "b", "--endpoint", server.url, *FLAGS, *given)[0] == 0
    shared = {"model": "stub", "stream": False, "top_p": 0.9, "top_k": 20}
    sent = [(line["id"].partition("/")[0], line["parameters"]) for line in server.log()]
    assert [each for each in sent if each[0] == "canary"] == [
        ("canary", {**shared, "max_tokens": 512})
    ] * 10
    assert ("recapd", {**shared, "max_tokens": 90}) in sent
    (folder,) = (tmp_path / "b").glob("manifest.json")
    captioning = json.loads(folder.read_bytes())["identity"]["recipe"]["captioning"]
    assert (captioning["extra_body"], captioning["temperature"]) == ({"top_k": 20}, None)


def test_a_dry_run_checks_the_server(serve, recap_words, tmp_path) -> None:
    server = serve(blind=True)
    status, printed = recap_words(tmp_path / "out", "--endpoint", server.url, *FLAGS, "--dry-run")
    assert status == 1
    assert f"error: {server.url} drops pictures" in printed
    assert kinds(server) == {"canary"}


def test_the_check_can_be_left_out(serve, recap_words, tmp_path) -> None:
    server = serve(blind=True)
    words = ["--endpoint", server.url, *FLAGS, "--no-canary"]
    for more in (["--dry-run"], []):
        status, printed = recap_words(tmp_path / "out", *words, *more)
        assert status == 0, printed
    assert kinds(server) == {"recapd"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("top_k=20", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ("{}", "expected a JSON object"),
        ('{"top_k": NaN}', "expected a JSON object"),
        ('{"temperature": 1}', "--temperature"),
        ('{"top_p": 1}', "--top-p"),
        ('{"model": "x"}', "--model"),
        ('{"stream": true}', "'stream'"),
        ('{"max_tokens": 5}', "'max_tokens'"),
        ('{"messages": []}', "'messages'"),
        (f'{{"api_key": "{KEY}"}}', "--api-key-env"),
        (f'{{"a": [{{"access_token": "{KEY}"}}]}}', "--api-key-env"),
    ],
)
def test_what_cannot_be_added_to_requests_is_refused(text, words) -> None:
    with pytest.raises(UsageError, match="--extra-body") as caught:
        parse_extra_body(text)
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


def test_parameters_about_tokens_are_no_secrets() -> None:
    given = {"min_tokens": 5, "stop_token_ids": [2], "skip_special_tokens": True}
    assert parse_extra_body(json.dumps(given)) == given
