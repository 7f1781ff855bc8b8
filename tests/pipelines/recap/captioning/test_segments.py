"""Segments of journals: what is new is written once, bounded in lines and time, and merged."""

import json
import threading
import time
from pathlib import Path

import pytest

from pipelines.output.lock import locked_output
from pipelines.recap.captioning import segments
from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.captioning.journal import Failure, Journal, RegionKey
from pipelines.recap.captioning.segments import (
    merge_segments,
    remove_segments,
    shard_journals,
)
from pipelines.recap.clip.scorer import Score
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.rejection import Reason

KEY = ("recapd", "train", 3, 10)
NAME = "_state/captions/recapd/train-07-9f86d081884c7d65.jsonl"
FOLDER = "_state/captions/segments/recapd/train-00003-of-00010"
FIRST, SECOND = Answer("A red box."), Answer("A blue box.")
FAILED, FILTERED = Failure(Reason.CAPTION_FAILED, "no"), Failure(Reason.CAPTION_FILTERED, "never")


@pytest.fixture(params=["local", "store"])
def output(request, tmp_path, remote_store) -> str:
    remote_store({})
    return str(tmp_path / "out") if request.param == "local" else "bucket://lake/out"


@pytest.fixture
def local(tmp_path) -> str:
    return str(tmp_path / "out")


def names(output: str) -> list[str]:
    """The files of an output but leases."""
    listed = sorted(name for name, _ in files.walk(output))
    return [name for name in listed if "/lease/" not in name]


def lines(output: str, name: str) -> list[dict]:
    return [json.loads(line) for line in files.read(files.join(output, name)).splitlines()]


def add(output: str, *ids: str, answer: Answer = FIRST) -> None:
    """Write down answers as the work on a shard does."""
    path = files.join(output, NAME)
    with shard_journals(output, KEY) as make, make(path) as journal:
        for name in ids:
            journal.add_answer(name, "p", answer)


def test_a_shard_leaves_one_segment_of_each_journal(output):
    other = files.join(output, NAME.replace("-07-", "-08-"))
    with shard_journals(output, KEY) as make:
        with make(files.join(output, NAME)) as journal, make(other) as second:
            journal.add_answer("a/0", "p", FIRST)
            second.add_failure("b/0", "p", FAILED)
            journal.add_score(RegionKey("1", "11"), "digest", Score(0.25, 0.125))
        assert names(output) == []
    first, last = names(output)
    assert first.startswith(f"{FOLDER}/000001-")
    assert first.endswith("-train-07-9f86d081884c7d65.jsonl")
    assert last.startswith(f"{FOLDER}/000002-")
    assert [line["type"] for line in lines(output, first)] == ["answer", "score"]
    assert [line["type"] for line in lines(output, last)] == ["failure"]


def test_a_kill_loses_less_than_a_segment(output, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_LINES", 3)
    with shard_journals(output, KEY) as make, make(files.join(output, NAME)) as journal:
        for number in range(8):
            journal.add_answer(f"{number}/0", "p", FIRST)
            kept = [line["id"] for name in names(output) for line in lines(output, name)]
            assert kept == [f"{each}/0" for each in range((number + 1) // 3 * 3)]
    assert len(names(output)) == 3


def test_lines_are_written_after_a_time(local, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_SECONDS", 0.05)
    monkeypatch.setattr(segments, "_LOOK_SECONDS", 0.01)
    with shard_journals(local, KEY) as make, make(files.join(local, NAME)) as journal:
        journal.add_answer("a/0", "p", FIRST)
        until = time.monotonic() + 10
        while not names(local) and time.monotonic() < until:
            time.sleep(0.01)
        (name,) = names(local)
        assert lines(local, name)[0]["id"] == "a/0"


def test_lines_that_could_not_be_written_are_written_later(output, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT_LINES", 1)
    usual = files.write_whole

    def fail(path: str, content: bytes) -> None:
        raise OSError(28, "no room")

    with shard_journals(output, KEY) as make, make(files.join(output, NAME)) as journal:
        monkeypatch.setattr(files, "write_whole", fail)
        with pytest.raises(OSError, match="no room"):
            journal.add_answer("a/0", "p", FIRST)
        monkeypatch.setattr(files, "write_whole", usual)
    (name,) = names(output)
    assert lines(output, name)[0]["id"] == "a/0"


def test_a_second_writer_reads_what_the_first_one_left(output):
    add(output, "a/0")
    add(output, "b/0")
    with shard_journals(output, KEY) as make, make(files.join(output, NAME)) as journal:
        assert {name for name, _ in journal.answers} == {"a/0", "b/0"}
        assert len(names(output)) == 2


def test_a_second_writer_waits_for_the_first_one(local, monkeypatch):
    monkeypatch.setattr(segments, "_RETRY_SECONDS", 0.01)
    held, end, order = threading.Event(), threading.Event(), []

    def hold() -> None:
        with locked_output(f"{local}/{FOLDER}"):
            held.set()
            end.wait()
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    threading.Timer(0.2, end.set).start()
    with shard_journals(local, KEY):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_it_does_not_wait_for_ever(local, monkeypatch):
    monkeypatch.setattr(segments, "_LEASE_PATIENCE", 0.0)
    with (
        locked_output(f"{local}/{FOLDER}"),
        pytest.raises(BuildError, match="another run is writing"),
    ):
        shard_journals(local, KEY).__enter__()


def test_segments_are_merged_in_the_order_of_their_names(output):
    add(output, "a/0")
    add(output, "a/1", "a/2")
    path = files.join(output, NAME)
    with shard_journals(output, KEY) as make, make(path) as journal:
        journal.add_failure("b/0", "p", FAILED)
        journal.add_failure("b/0", "p", FILTERED)
    with shard_journals(output, ("recapd", "train", 2, 10)) as make, make(path) as journal:
        journal.answers.clear()
        journal.add_answer("a/0", "p", SECOND)
    merge_segments(output)
    remove_segments(output)
    assert names(output) == [NAME]
    journal = Journal(path)
    journal.read_lines(files.read(path))
    # The other shard's folder comes first.
    assert journal.answers == {
        ("a/0", "p"): SECOND,
        ("a/1", "p"): FIRST,
        ("a/2", "p"): FIRST,
    }
    assert journal.failures == {("b/0", "p"): FILTERED}


def test_a_merge_that_breaks_off_is_repeated(output, monkeypatch):
    """Wherever it breaks off, the end is the same."""
    path = files.join(output, NAME)
    for failure in (FAILED, FILTERED, FAILED):
        with shard_journals(output, KEY) as make, make(path) as journal:
            journal.add_failure("b/0", "p", failure)
            journal.add_answer(f"{len(names(output))}/0", "p", FIRST)
    before = {name: files.read(files.join(output, name)) for name in names(output)}
    merge_segments(output)
    whole = files.read(path)
    for left in range(1, 4):
        for name, content in list(before.items())[left:]:
            files.write_whole(files.join(output, name), content)
        merge_segments(output)
        assert files.read(path) == whole
        assert names(output) == [NAME]


def test_a_journal_that_is_there_goes_on(local):
    """An output that was begun with lines appended takes segments, and the other way round."""
    path = f"{local}/{NAME}"
    with Journal(path) as journal:
        journal.add_answer("a/0", "p", FIRST)
    with Path(path).open("ab") as file:
        file.write(b'{"type": "cut')
    with shard_journals(local, KEY) as make, make(path) as journal:
        assert journal.answers == {("a/0", "p"): FIRST}
        journal.add_answer("b/0", "p", SECOND)
    merge_segments(local)
    with Journal(path) as journal:
        assert list(journal.answers) == [("a/0", "p"), ("b/0", "p")]


def test_lines_that_cannot_be_read_are_set_aside(output, capfd):
    add(output, "a/0")
    (name,) = names(output)
    content = files.read(files.join(output, name))
    files.write_whole(files.join(output, name), b"{}\n" + content)
    with shard_journals(output, KEY) as make, make(files.join(output, NAME)) as journal:
        assert list(journal.answers) == [("a/0", "p")]
    merge_segments(output)
    assert names(output) == [NAME, f"{NAME}.damaged"]
    assert files.read(files.join(output, f"{NAME}.damaged")) == b"{}\n"
    assert "lines that cannot be read: 1" in capfd.readouterr().err


def test_nothing_to_merge_changes_nothing(output):
    merge_segments(output)
    path = files.join(output, NAME)
    files.write_whole(path, b"not touched\n")
    merge_segments(output)
    assert files.read(path) == b"not touched\n"
