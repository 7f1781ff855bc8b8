"""When `recap` checks that its server sees images: before it asks, and only if it asks."""

from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--model", "stub", "--no-filter", "--limit", 3]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def asked(server: Any) -> set[str]:
    """What was asked of a server, without numbers."""
    return {line["id"].split("/")[0] for line in server.log()}


@pytest.fixture
def finished(serve: Any, recap_words: Any, tmp_path: Path) -> Path:
    """A finished run; its server is gone."""
    server, out = serve(), tmp_path / "out"
    assert recap_words(out, "--endpoint", server.url, *FLAGS)[0] == 0
    assert asked(server) == {"canary", "recapd"}
    server.stop()
    return out


def test_a_finished_run_asks_nothing_again(finished, serve, recap_words) -> None:
    before, server = everything(finished), serve()
    status, printed = recap_words(finished, "--endpoint", server.url, *FLAGS)
    assert status == 0, printed
    assert server.log() == []
    assert everything(finished).keys() == before.keys()


def test_what_is_missing_is_not_asked_of_a_blind_server(finished, serve, recap_words) -> None:
    journal = max(finished.glob("_state/captions/*/*"), key=lambda path: path.stat().st_size)
    kept = b"".join(journal.read_bytes().splitlines(keepends=True)[:-1])
    journal.write_bytes(kept)
    server = serve(blind=True)
    status, printed = recap_words(finished, "--endpoint", server.url, *FLAGS)
    assert status == 1
    assert f"error: {server.url}" in printed
    assert "Traceback" not in printed
    assert asked(server) == {"canary"}
    assert journal.read_bytes() == kept

    server = serve()
    assert recap_words(finished, "--endpoint", server.url, *FLAGS)[0] == 0
    assert asked(server) == {"canary", "recapd"}
    asked_again = [line["id"] for line in server.log() if not line["id"].startswith("canary")]
    assert len(asked_again) == 1


def test_a_blind_server_replaces_nothing(finished, serve, recap_words) -> None:
    before, server = everything(finished), serve(blind=True)
    status, printed = recap_words(finished, "--endpoint", server.url, *FLAGS, "--rebuild")
    assert (status, f"error: {server.url}" in printed) == (1, True)
    assert asked(server) == {"canary"}
    assert everything(finished) == before
