"""Captions that go into a store: the same as in a local output, and none is asked for twice."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pipelines.recap.captioning import segments
from pipelines.storage import files

STORE = "bucket://lake/recapd"
FLAGS = ("--limit", 3, "--model", "stub", "--no-filter", "--no-canary", "--no-guard")
JOURNALS = "_state/captions/"


@pytest.fixture
def bucket(remote_store):
    return remote_store({"bucket://lake/other.txt": b""})


def left(output: str) -> dict[str, bytes]:
    """The files of an output, but the digests of inputs of this machine."""
    content = {name: files.read(files.join(output, name)) for name, _ in sorted(files.walk(output))}
    content.pop("_state/inputs.json", None)
    return content


def answers(content: dict[str, bytes]) -> Counter[str]:
    """How often each answer is in the journals."""
    names = [name for name in content if name.startswith(JOURNALS) and name.endswith(".jsonl")]
    lines = [json.loads(line) for name in names for line in content[name].splitlines()]
    return Counter(line["id"] for line in lines if line["type"] == "answer")


def test_a_store_holds_what_a_folder_would(bucket, serve, recap_words, tmp_path: Path) -> None:
    server = serve()
    words = (*FLAGS, "--endpoint", server.url, "--shard-size", "20KiB")
    status, printed = recap_words(tmp_path / "out", *words)
    assert status == 0, printed
    server.forget()
    status, printed = recap_words(STORE, *words)
    assert status == 0, printed
    near, far = left(str(tmp_path / "out")), left(STORE)
    assert answers(far) == answers(near) == server.answered()
    assert far.keys() == near.keys()
    others = [name for name in near if not name.startswith(JOURNALS)]
    assert {name: far[name] for name in others} == {name: near[name] for name in others}
    assert sum(name.endswith(".arrow") for name in others) > 1

    server.forget()
    status, printed = recap_words(STORE, *words)
    assert status == 0, printed
    assert left(STORE) == far
    assert not server.answered()


def test_a_run_that_breaks_off_goes_on(bucket, serve, recap_words, monkeypatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_LINES", 3)
    calm, dying = serve(), serve({"match": "[bd]/0$", "status": 401})
    flags = (*FLAGS, "--concurrency", 1)
    status, printed = recap_words(STORE, *flags, "--endpoint", dying.url)
    assert status == 1, printed
    parts = [name for name in bucket.content if "/segments/" in name]
    assert parts
    assert recap_words(STORE, *flags, "--endpoint", calm.url)[0] == 0
    asked = dying.answered() + calm.answered()
    assert asked.total() - len(asked) <= 1, "the call that was in flight"
    assert len(dying.answered()) > 3
    content = left(STORE)
    assert answers(content) == Counter(asked.keys())
    assert not [name for name in content if "/segments/" in name]


def test_a_server_of_its_own_is_for_local_outputs(bucket, recap_words) -> None:
    status, printed = recap_words(STORE, "--serve", "MODEL", "--no-filter")
    assert status == 2
    assert "--serve goes with an --output of this machine" in printed
    assert list(bucket.content) == ["bucket://lake/other.txt"]
