"""Digests that a thread computes: of files that are read anyway, and of others."""

from hashlib import sha256
from threading import Event

import pytest

from pipelines.storage import files
from pipelines.storage.digest_thread import DigestThread
from pipelines.storage.file_digests import FileDigests
from schemas.errors import InputFileError

CONTENT = bytes(range(256)) * 100
DIGEST = sha256(CONTENT).hexdigest(), len(CONTENT)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_bytes(CONTENT)
    return str(path)


def test_a_file_that_is_read_in_pieces_is_hashed_of_them(path, fingerprinted):
    digests = FileDigests()
    thread = DigestThread(digests)
    with thread.running(), files.FileStore().open(path) as file:
        stream = thread.hashed(path, file)
        pieces = iter(lambda: stream.read(1000), b"")
        assert b"".join(pieces) == CONTENT
        assert stream.read(1000) == b""
        thread.hash_file(path)
    assert digests.of(path) == DIGEST
    assert fingerprinted == []


def test_a_file_that_is_read_at_once_is_hashed_of_its_content(path, fingerprinted):
    digests = FileDigests()
    thread = DigestThread(digests)
    with thread.running():
        thread.hash_content(path, CONTENT)
    assert digests.of(path) == DIGEST
    assert fingerprinted == []


def test_a_file_that_is_not_read_to_its_end_is_read_again(path, fingerprinted):
    digests = FileDigests()
    thread = DigestThread(digests)
    with thread.running(), files.FileStore().open(path) as file:
        thread.hashed(path, file).read(1000)
    assert digests.of(path) == DIGEST
    assert fingerprinted == [path]


def test_what_is_known_is_not_hashed(path, fingerprinted):
    digests = FileDigests()
    digests.of(path)
    thread = DigestThread(digests)
    with thread.running(), files.FileStore().open(path) as file:
        assert thread.hashed(path, file) is file
        thread.hash_content(path, b"other")
    assert digests.of(path) == DIGEST
    assert fingerprinted == [path]


def test_other_files_are_hashed_and_absent_ones_left(path, tmp_path, fingerprinted):
    gone = str(tmp_path / "gone.json")
    digests = FileDigests()
    thread = DigestThread(digests)
    with thread.running():
        thread.hash_file(gone)
        thread.hash_file(path)
    assert fingerprinted == [gone, path]
    assert digests.of(path) == DIGEST
    assert fingerprinted == [gone, path]
    with pytest.raises((InputFileError, OSError)):
        digests.of(gone)


def test_an_error_does_not_wait_for_digests(path, monkeypatch):
    begun, ended = Event(), Event()

    def slow(_):
        begun.set()
        assert ended.wait(60)
        return "", 0

    monkeypatch.setattr(files, "fingerprint", slow)
    thread = DigestThread(FileDigests())

    def work() -> None:
        with thread.running():
            thread.hash_file(path)
            assert begun.wait(60)
            raise InputFileError("no")

    with pytest.raises(InputFileError, match="no"):
        work()
    assert not ended.is_set()
    ended.set()
