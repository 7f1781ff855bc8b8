"""Names of files are names: they may look like patterns, and hold bytes that are no UTF-8."""

import hashlib
import os
import shutil

import pytest

from pipelines.storage import files

ODD = "a[1]*?"
FOLDER = f"bucket://data/{ODD}"
ALIKE = ("a1", "a1bc", "a[1]bc", "a[1]*c")  # what patterns would take


@pytest.fixture
def bucket(remote_store):
    """A remote store of files with odd names, in a folder with one; others are named alike."""
    content = {f"{FOLDER}/{ODD}": b"four", f"{FOLDER}/[!x]/b.txt": b"one"}
    for name in ALIKE:
        content |= {f"bucket://data/{name}/x": b"longer", f"{FOLDER}/{name}": b""}
    remote_store(content)
    return content


def test_a_remote_folder_of_an_odd_name_is_listed(bucket):
    expected = {ODD: 4, "[!x]/b.txt": 3, **dict.fromkeys(ALIKE, 0)}
    assert dict(files.walk(FOLDER)) == expected
    assert dict(files.walk(f"{FOLDER}/[!x]")) == {"b.txt": 3}
    assert files.size_of(FOLDER) == 7
    assert files.fingerprint(FOLDER)[1] == 7


def test_a_remote_file_of_an_odd_name_is_itself(bucket):
    assert files.size_of(f"{FOLDER}/{ODD}") == 4
    assert files.fingerprint(f"{FOLDER}/{ODD}") == (hashlib.sha256(b"four").hexdigest(), 4)


def test_a_remote_name_that_others_fit_is_not_there(bucket):
    for name in ("a[1]", "a*", "a??", "[a]1"):
        assert not files.exists(f"bucket://data/{name}")
        assert not files.exists(f"{FOLDER}/{name}")
    assert files.exists(FOLDER)
    assert files.exists(f"{FOLDER}/[!x]")


def test_a_remote_file_alone_is_deleted(bucket):
    others = bucket.keys() - {f"{FOLDER}/{ODD}", f"{FOLDER}/[!x]/b.txt"}
    files.delete([f"{FOLDER}/{ODD}", f"{FOLDER}/[!x]/b.txt", f"{FOLDER}/a??"])
    assert bucket.keys() == others


def test_stray_files_whose_names_are_no_utf_8_decide_nothing(sample_world, run_build, tmp_path):
    root = tmp_path / "world"
    owner = root / "flickr30k_entities"
    shutil.copytree(sample_world / "flickr30k_entities", owner)
    request, outputs = {"name": "flickr30k"}, []
    for _ in range(2):
        output = run_build(root, request=request, guard=False)
        outputs.append((output.digests(), output.rejected()))
        for folder, name in (
            ("Annotations", b"\xff.xml"),
            ("Sentences", b"\xff.txt"),
            ("flickr30k-images", b"\xff.jpg"),
        ):
            with open(os.path.join(os.fsencode(owner / folder), name), "wb") as file:
                file.write(b"x")
    assert outputs[0] == outputs[1]


def test_a_listing_goes_by_the_bytes_of_names(tmp_path):
    seen = set()
    for name in (b"\xff", b"\xfe", "\xff".encode()):
        folder = os.path.join(os.fsencode(tmp_path), b"folder")
        os.mkdir(folder)
        with open(os.path.join(folder, name), "wb"):
            seen.add(files.fingerprint(os.fsdecode(folder))[0])
        shutil.rmtree(folder)
    assert len(seen) == 3
