"""The lease of an output in a store: who holds it, who is refused, and when it is over."""

import os
import queue
import threading
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipelines.output.lock import locked_output
from pipelines.storage import files, store_guard, store_lease
from pipelines.storage.store_guard import watched_guards
from pipelines.storage.store_lease import LAPSE_SECONDS, held_lease
from schemas.errors import BuildError

OUTPUT = "bucket://lake/out"
FOLDER = f"{OUTPUT}/_state/lease"


@pytest.fixture
def bucket(remote_store):
    return remote_store({})


def leave(bucket, number: int = 1, *, age: float = 0.0, **holder: object) -> str:
    """Leave the lease of a run of another machine that was renewed some seconds ago."""
    path = f"{FOLDER}/{number:06d}.json"
    content = {"machine": "another", "process": 1, "started": 1} | holder
    bucket.content[path] = msgspec.json.encode(content)
    bucket.changed[path] = datetime.now(UTC) - timedelta(seconds=age)
    return path


def test_a_lease_is_there_for_the_length_of_the_run(bucket):
    with held_lease(FOLDER, OUTPUT):
        assert list(bucket.content) == [f"{FOLDER}/000001.json"]
        with pytest.raises(BuildError, match=rf"another run is writing into {OUTPUT}: wait"):
            held_lease(FOLDER, OUTPUT).__enter__()
        assert list(bucket.content) == [f"{FOLDER}/000001.json"]
    assert bucket.content == {}


def test_a_run_of_another_machine_is_not_disturbed(bucket):
    path = leave(bucket, age=LAPSE_SECONDS - 20)
    with pytest.raises(BuildError, match=r"killed on another machine, try again in (19|20) sec"):
        held_lease(FOLDER, OUTPUT).__enter__()
    assert list(bucket.content) == [path]


def test_a_lease_that_was_not_renewed_is_over(bucket):
    path = leave(bucket, 7, age=LAPSE_SECONDS + 1)
    with held_lease(FOLDER, OUTPUT):
        assert list(bucket.content) == [f"{FOLDER}/000008.json"]
    assert path not in bucket.content


def test_a_lease_of_a_process_that_is_gone_from_here_is_over_at_once(bucket):
    machine = store_lease._machine()
    leave(bucket, machine=machine, process=2**22 + 1, started=1)
    with held_lease(FOLDER, OUTPUT):
        assert list(bucket.content) == [f"{FOLDER}/000002.json"]
    leave(bucket, machine=machine, process=os.getpid(), started=1)  # of an earlier one
    with held_lease(FOLDER, OUTPUT):
        assert list(bucket.content) == [f"{FOLDER}/000002.json"]


def test_a_damaged_lease_holds_until_it_lapses(bucket):
    bucket.content[leave(bucket)] = b"{"
    with pytest.raises(BuildError):
        held_lease(FOLDER, OUTPUT).__enter__()


def test_a_lease_is_renewed_while_it_is_there(bucket, monkeypatch):
    monkeypatch.setattr(store_lease, "_RENEWAL_SECONDS", 0.01)
    path = f"{FOLDER}/000001.json"
    with held_lease(FOLDER, OUTPUT):
        first, until = bucket.changed[path], time.monotonic() + 10
        while bucket.changed[path] == first and time.monotonic() < until:
            time.sleep(0.01)
        assert bucket.changed[path] > first


def test_a_lease_that_another_run_took_over_is_noticed_while_running(bucket, monkeypatch):
    monkeypatch.setattr(store_lease, "_RENEWAL_SECONDS", 0.01)
    errors: queue.SimpleQueue[BuildError] = queue.SimpleQueue()
    with locked_output(OUTPUT), watched_guards(errors.put):
        files.write_whole(f"{OUTPUT}/a", b"a")
        files.write_whole("bucket://lake/out2/a", b"a")
        del bucket.content[f"{FOLDER}/000001.json"]
        taken = leave(bucket, 2)
        assert str(errors.get(timeout=10)).startswith(f"another run has taken {OUTPUT} over, for")
        before = dict(bucket.content)
        with pytest.raises(BuildError, match=f"another run has taken {OUTPUT} over"):
            files.write_whole(f"{OUTPUT}/b", b"b")
        with pytest.raises(BuildError), files.open_whole(f"{OUTPUT}/c") as file:
            file.write(b"c")
        with pytest.raises(BuildError):
            files.delete([f"{OUTPUT}/a"])
        assert bucket.content == before
        files.write_whole("bucket://lake/out2/b", b"other outputs are not concerned")
    assert taken in bucket.content
    files.write_whole(f"{OUTPUT}/b", b"b")


def test_a_process_that_was_stopped_asks_before_it_writes_on(bucket, monkeypatch):
    """The thread that renews the lease may come later than the one that writes."""
    with locked_output(OUTPUT):
        monkeypatch.setattr(store_lease, "LAPSE_SECONDS", 0.0)
        first = bucket.changed[f"{FOLDER}/000001.json"]
        files.write_whole(f"{OUTPUT}/a", b"a")
        assert bucket.changed[f"{FOLDER}/000001.json"] > first, "it was renewed at once"
        del bucket.content[f"{FOLDER}/000001.json"]
        with pytest.raises(BuildError, match="has taken"):
            files.write_whole(f"{OUTPUT}/b", b"b")
    assert bucket.content == {f"{OUTPUT}/a": b"a"}


def test_a_store_that_is_away_for_a_while_ends_no_run(bucket, monkeypatch):
    monkeypatch.setattr(store_lease, "LAPSE_SECONDS", 0.0)
    monkeypatch.setattr(store_guard, "_LOOK_SECONDS", 0.01)
    errors: queue.SimpleQueue[BuildError] = queue.SimpleQueue()
    with locked_output(OUTPUT), watched_guards(errors.put):
        asked = threading.Event()

        def away(*_, **__):
            asked.set()
            raise ConnectionError("away")

        with monkeypatch.context() as patch:
            patch.setattr(bucket, "info", away)
            assert asked.wait(10)
            with pytest.raises(OSError, match="away"):
                files.write_whole(f"{OUTPUT}/a", b"a")
        files.write_whole(f"{OUTPUT}/a", b"a")
    assert errors.empty()


def test_the_later_of_two_gives_way(bucket, monkeypatch):
    """The earlier one waits until a candidate with a higher number is gone."""
    monkeypatch.setattr(store_lease, "_POLL_SECONDS", 0.01)
    create = bucket.pipe_file

    def beside(self, path, value, mode="overwrite", **_):
        create(self, path, value, mode)
        if mode == "create":
            later = leave(bucket, 2)
            threading.Timer(0.2, bucket.content.pop, [later]).start()

    monkeypatch.setattr(bucket, "pipe_file", beside)
    with held_lease(FOLDER, OUTPUT):
        assert list(bucket.content) == [f"{FOLDER}/000001.json"]


def test_of_two_that_want_the_same_number_the_store_takes_one(bucket, monkeypatch):
    monkeypatch.setattr(store_lease, "_leases", lambda folder: [])
    path = leave(bucket)
    with pytest.raises(BuildError, match="another run is writing"):
        held_lease(FOLDER, OUTPUT).__enter__()
    assert list(bucket.content) == [path]


def test_a_store_that_lets_nobody_write_is_an_error_before_any_work(bucket, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(bucket, "pipe_file", refuse)
    with pytest.raises(PermissionError, match="Access Denied"):
        held_lease(FOLDER, OUTPUT).__enter__()
