"""A key is nowhere but in the environment and in requests: not on the screen, not on disk."""

import json
from pathlib import Path

import pytest

KEY = "sk-Zq7secretQ9x"
WRONG = "sk-Wr0ngKeyX4y"


def leaks(folder: Path, printed: str, *secrets: str) -> list[str]:
    """The files, or the screen, on which a secret can be read."""
    places = [str(path) for path in folder.rglob("*") if any(s in str(path) for s in secrets)]
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for secret in secrets:
        places += [str(path) for path, data in contents.items() if secret.encode() in data]
        places += ["the screen"] * (secret in printed)
    return places


def words(server) -> list[object]:
    return ["--endpoint", server.url, "--model", "stub", "--no-filter", "--limit", 3]


def test_a_run_with_a_key(serve, recap_words, tmp_path, monkeypatch) -> None:
    server = serve(
        {"match": "image/0$", "attempts": [0], "status": 500},
        {"match": "[0-4]/0$", "status": 400},
        api_key=KEY,
    )
    monkeypatch.setenv("THE_KEY", KEY)
    flags = [*words(server), "--api-key-env", "THE_KEY"]
    out = tmp_path / "out"
    status, printed = recap_words(out, *flags)
    assert status == 0, printed
    assert (out / "_rejected" / "recapd.jsonl").read_text("utf-8").count("caption_failed")
    assert leaks(out, printed, KEY) == []
    status, printed = recap_words(out, *flags, "--dry-run")
    assert (status, leaks(out, printed, KEY)) == (0, [])


def test_a_key_that_is_refused_and_repeated(serve, recap_words, tmp_path, monkeypatch) -> None:
    server = serve(api_key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", WRONG)
    for more in ([], ["--dry-run"]):
        status, printed = recap_words(tmp_path / "out", *words(server), *more)
        assert status == 1
        assert "OPENAI_API_KEY" in printed
        assert "[key]" in printed
        assert leaks(tmp_path / "out", printed, KEY, WRONG) == []


@pytest.mark.parametrize("part", [KEY, KEY[:9], KEY[-8:], f"{KEY[:5]}***{KEY[-4:]}"])
def test_an_answer_that_repeats_a_key(
    seeing, reply, recap_words, tmp_path, monkeypatch, part
) -> None:
    text = f"A red cup with the words {part} on it stands on a wooden table beside a blue plate."
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in part)  # as JSON may write it

    def behave(sent):
        if sent.asks_colour:
            return None
        if "whole" not in sent.prompt and sent.first and len(server.sent) % 3 == 0:
            message = f"For {escaped} this content is not allowed."
            body = f'{{"error": {{"message": "{message}"}}}}'
            return reply(400, body.encode())
        return json.loads(json.dumps(sent.completion()).replace(sent.said, text))

    server = seeing(behave)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _, printed = recap_words(tmp_path / "out", *words(server))
    journals = [path.read_text() for path in tmp_path.rglob("captions/recapd/*")]
    assert any("with the words [key] on it" in journal for journal in journals), printed
    assert any("For [key] this" in journal for journal in journals), printed
    assert leaks(tmp_path / "out", printed, part) == []


def test_a_key_that_becomes_wrong_in_the_middle(
    coco_file, serve, recap, tmp_path, monkeypatch
) -> None:
    server = serve({"match": "train/2/region", "status": 401}, api_key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(Exception, match="401") as error:
        recap(coco_file().good(1, 2, 3).save(), server)
    assert leaks(tmp_path / "recapd", str(error.value), KEY) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://user:{}@127.0.0.1:9/v1",
        "http://{}@127.0.0.1:9/v1",
        "http://127.0.0.1:9/v1?key={}",
        "http://127.0.0.1:9/v1#{}",
        "{}",
        "http://{}:port/v1",
        "http://[{}/v1",
        "ftp://127.0.0.1/{}",
    ],
)
def test_keys_in_endpoints(recap_words, tmp_path, url) -> None:
    flags = ["--endpoint", url.format(KEY), "--model", "stub", "--no-filter"]
    status, printed = recap_words(tmp_path / "out", *flags)
    assert status == 2
    assert "error: --endpoint" in printed
    assert "Traceback" not in printed
    assert leaks(tmp_path, printed, KEY) == []


def test_a_key_that_cannot_be_sent(recap_words, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\u00e4")
    flags = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "stub", "--no-filter"]
    status, printed = recap_words(tmp_path / "out", *flags)
    assert (status, "OPENAI_API_KEY" in printed) == (2, True)
    assert leaks(tmp_path, printed, KEY) == []


def test_a_crash_shows_no_key(serve, sample_world, forked, tmp_path) -> None:
    """Not even a fault of our own, with a traceback, in a process of its own."""
    server = serve(api_key=KEY)
    program = (
        "import sys, pipelines.recap.client.captioner as client\n"
        "def broken(*_): raise ZeroDivisionError\n"
        "client.encode_request = broken\n"
        "from pipelines.cli.parser import main\n"
        "main(sys.argv[1:])\n"
    )
    where = ["--source", "v3det", "--data-root", sample_world, "--output", tmp_path / "out"]
    flags = ["recap", *where, *words(server)]
    done = forked(*flags, program=program, OPENAI_API_KEY=KEY).wait()
    assert "ZeroDivisionError" in done.stderr
    assert leaks(tmp_path / "out", done.stdout + done.stderr, KEY) == []
