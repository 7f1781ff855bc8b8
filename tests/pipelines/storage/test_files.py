"""Files: what stands for a file or a folder when a build asks whether its inputs are the same."""

import hashlib

import pytest

from pipelines.storage import files
from schemas.errors import InputFileError


@pytest.fixture
def folder(tmp_path):
    """A folder of three files, one of them in a folder below it."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one")
    (folder / "b.txt").write_bytes(b"")
    (folder / "below" / "a.txt").write_bytes(b"seven..")
    return folder


def test_a_file_goes_by_its_bytes(folder):
    expected = hashlib.sha256(b"one").hexdigest(), 3
    assert files.fingerprint(str(folder / "a.txt")) == expected
    assert files.fingerprint(str(folder / "b.txt")) == (hashlib.sha256().hexdigest(), 0)


def test_a_folder_goes_by_the_names_and_sizes_of_its_files(folder):
    listing = b"a.txt\n3\nb.txt\n0\nbelow/a.txt\n7\n"
    assert files.fingerprint(str(folder)) == (hashlib.sha256(listing).hexdigest(), 10)


def test_where_a_folder_lies_decides_nothing(folder, tmp_path):
    before = files.fingerprint(str(folder))
    assert files.fingerprint(f"{folder}/") == before
    (tmp_path / "link").symlink_to(folder)
    assert files.fingerprint(str(tmp_path / "link")) == before
    folder.rename(tmp_path / "elsewhere")
    assert files.fingerprint(str(tmp_path / "elsewhere")) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [("c.txt", b""), ("a.txt", b"longer"), ("below/b.txt", b"one"), ("below/a.txt", b"")],
)
def test_a_file_more_or_of_another_size_is_told(folder, name, content):
    before = files.fingerprint(str(folder))
    (folder / name).write_bytes(content)
    assert files.fingerprint(str(folder)) != before


def test_a_file_less_or_of_another_name_is_told(folder):
    seen = {files.fingerprint(str(folder))[0]}
    (folder / "b.txt").rename(folder / "c.txt")
    seen.add(files.fingerprint(str(folder))[0])
    (folder / "c.txt").unlink()
    seen.add(files.fingerprint(str(folder))[0])
    assert len(seen) == 3


def test_what_is_written_into_a_file_of_a_folder_is_not_looked_at(folder):
    before = files.fingerprint(str(folder))
    (folder / "a.txt").write_bytes(b"two")
    assert files.fingerprint(str(folder)) == before


def test_an_empty_folder_differs_from_an_empty_file_in_nothing_but_its_place(tmp_path):
    (tmp_path / "empty").mkdir()
    assert files.fingerprint(str(tmp_path / "empty")) == (hashlib.sha256().hexdigest(), 0)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises((InputFileError, FileNotFoundError)):
        files.fingerprint(str(tmp_path / "nowhere"))


@pytest.fixture
def bucket(folder, remote_store):
    """The same files in a remote store, and others whose names begin alike."""
    names = ("a.txt", "b.txt", "below/a.txt")
    content = {f"bucket://data/folder/{name}": (folder / name).read_bytes() for name in names}
    content |= {"bucket://data/folder2/c.txt": b"more", "bucket://data/folder.txt": b"text"}
    remote_store(content)
    return content


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_remote_folder_is_there_if_it_holds_a_file(bucket, slash):
    for name in ("", "/folder", "/folder/below", "/folder2"):
        assert files.exists(f"bucket://data{name}{slash}")
    for name in ("/fold", "/folder/bel", "/below"):
        assert not files.exists(f"bucket://data{name}{slash}")
    assert files.exists("bucket://data/folder.txt")
    assert not files.exists("bucket://data/folder.tx")


def test_a_remote_folder_goes_by_its_listing_as_a_local_one(folder, bucket):
    assert files.fingerprint("bucket://data/folder") == files.fingerprint(str(folder))
    assert files.fingerprint("bucket://data/folder/") == files.fingerprint(str(folder))
    assert files.size_of("bucket://data/folder") == files.size_of(str(folder)) == 10
    bucket["bucket://data/folder/"] = b""  # some tools write such a file for every folder
    assert files.fingerprint("bucket://data/folder") == files.fingerprint(str(folder))


def test_a_remote_file_goes_by_its_bytes(bucket):
    expected = hashlib.sha256(b"text").hexdigest(), 4
    assert files.fingerprint("bucket://data/folder.txt") == expected
    assert files.size_of("bucket://data/folder.txt") == 4
