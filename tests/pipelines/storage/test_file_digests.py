"""Digests of input files: a file is hashed again only after it has changed."""

import os
from hashlib import sha256

import pytest

from pipelines.storage import files
from pipelines.storage.file_digests import FileDigests
from schemas.layout import INPUT_DIGESTS

OLD = 1_600_000_000_000_000_000  # ns since 1970


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_bytes(b"[1]")
    os.utime(path, ns=(OLD, OLD))
    return path


def digest_of(output, path) -> str:
    """The digest of a file by what an output remembers; the output remembers it then."""
    digests = FileDigests.remembered_in(str(output))
    digest, size = digests.of(str(path))
    assert (digest, size) == (sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    digests.save(str(output))
    return digest


def test_an_unchanged_file_is_hashed_once(file, tmp_path, fingerprinted):
    for _ in range(3):
        digest_of(tmp_path, file)
    assert fingerprinted == [str(file)]
    assert str(tmp_path) not in (tmp_path / INPUT_DIGESTS).read_text()


def test_a_file_is_hashed_once_in_a_run(file, fingerprinted):
    digests = FileDigests()
    assert digests.of(str(file)) == digests.of(str(file))
    assert fingerprinted == [str(file)]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_file_is_hashed_again(file, tmp_path, fingerprinted, change):
    digest_of(tmp_path, file)
    file.write_bytes(b"[2]" if change == "time" else b"[12]")
    changed = OLD + (1 if change == "time" else 0)
    os.utime(file, ns=(changed, changed))
    digest_of(tmp_path, file)
    assert fingerprinted == [str(file)] * 2


def test_a_file_that_was_just_changed_is_not_relied_on(file, tmp_path, fingerprinted):
    os.utime(file)
    digest_of(tmp_path, file)
    digest_of(tmp_path, file)
    assert fingerprinted == [str(file)] * 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [1, 2]}', b"\xff"])
def test_a_memory_that_cannot_be_read_is_not_trusted(file, tmp_path, fingerprinted, content):
    digest_of(tmp_path, file)
    (tmp_path / INPUT_DIGESTS).write_bytes(content)
    digest_of(tmp_path, file)
    assert fingerprinted == [str(file)] * 2


def test_folders_and_other_files_are_looked_at_anew(file, tmp_path, fingerprinted):
    digest_of(tmp_path, file)
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.write_bytes(b"[1]")
    digests = FileDigests.remembered_in(str(tmp_path))
    assert digests.of(str(folder)) == files.fingerprint(str(folder))
    digests.of(str(other))
    assert fingerprinted[1:] == [str(folder), str(folder), str(other)]


@pytest.mark.parametrize("spelling", ["ETag", "etag"])  # of S3, and of the others
def test_an_object_is_read_again_only_after_it_has_changed(
    remote_store, tmp_path, monkeypatch, spelling
):
    path = "bucket://data/annotations.json"
    bucket = remote_store({path: b"[1]"})
    info = bucket.info

    def spelled(self, name):
        known = info(self, name)
        return known | {spelling: known.pop("ETag")}

    monkeypatch.setattr(bucket, "info", spelled)

    def reads() -> int:
        bucket.requests.clear()
        digests = FileDigests.remembered_in(str(tmp_path))
        content = bucket.content[path]
        known = digests.is_known(path)
        assert digests.of(path) == (sha256(content).hexdigest(), len(content))
        digests.save(str(tmp_path))
        number: int = sum(verb == "GET" for verb, _ in bucket.requests)
        assert known == (number == 0)
        return number

    assert [reads(), reads(), reads()] == [1, 0, 0]
    bucket.content[path] = b"[2]"
    assert [reads(), reads()] == [1, 0]


def test_an_object_that_changes_while_it_is_read_is_not_relied_on(
    remote_store, tmp_path, monkeypatch
):
    path = "bucket://data/annotations.json"
    bucket = remote_store({path: b"[1]"})
    fingerprint = files.fingerprint

    def changing(name):
        result = fingerprint(name)
        bucket.content[name] = b"[2]"
        return result

    monkeypatch.setattr(files, "fingerprint", changing)
    digests = FileDigests()
    digests.of(path)
    digests.save(str(tmp_path))
    bucket.content[path] = b"[1]"
    assert not FileDigests.remembered_in(str(tmp_path)).is_known(path)


def test_a_store_without_etags_is_read_anew(remote_store, tmp_path, monkeypatch):
    path = "bucket://data/annotations.json"
    bucket = remote_store({path: b"[1]"})
    info = bucket.info
    monkeypatch.setattr(bucket, "info", lambda self, name: info(self, name) | {"ETag": None})
    digests = FileDigests()
    digests.of(path)
    digests.save(str(tmp_path))
    assert not FileDigests.remembered_in(str(tmp_path)).is_known(path)
