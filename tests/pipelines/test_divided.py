"""A build that divides a file leaves the same bytes, and reads each byte of it once."""

import json
import random
import re
from functools import cache
from pathlib import Path

import pytest

from pipelines.datasets.common import slices
from pipelines.preflight.quick_store import QuickStore
from pipelines.read import ReadSources
from pipelines.storage.files import FileStore
from schemas.errors import BuildError, InputFileError
from tests.pipelines.reads import Parts

PICTURES = (".jpg", ".png")
OTHERS = {
    "flickr30k": "flickr30k_entities",
    "llava": "llava",
    "llava_pretrain": "llava_pretrain",
    "vcr": "vcr",
}  # the folders of their annotations


@pytest.fixture(scope="module")
def sound(coco_file):
    """A file whose annotations can all be read at once."""
    owner = coco_file().good(*range(1, 60))
    owner.region(7001, 99)
    owner.data["categories"].append({"id": 3, "name": "cat"})  # so neither name is trusted
    random.Random(0).shuffle(owner.data["annotations"])
    return owner.save()


@pytest.fixture(scope="module")
def odd(coco_file):
    """A file with an annotation of no image."""
    owner = coco_file().good(*range(1, 60))
    owner.data["annotations"].insert(100, {"id": 5})
    return owner.save()


@pytest.fixture(scope="module")
def whole(sound, run_build):
    """The build of the sound file as a whole."""
    return run_build(sound)


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_each_byte_is_read_once_to_look_at_and_once_to_build_from(
    sound, whole, run_build, monkeypatch, bytes_read, parts
):
    path, size = str(sound.file), sound.file.stat().st_size
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    divided = run_build(sound, launch_options=Parts(parts))
    assert divided.digests() == whole.digests()
    assert divided.ledger() == whole.ledger()
    assert divided.rejected() == whole.rejected()
    assert bytes_read["look", path] == size, "by which the file is hashed and indexed"
    assert 0.9 * size < bytes_read["stages", path] <= size
    assert bytes_read["fingerprint", path] == 0


@pytest.mark.parametrize("limit", [None, 10])
def test_the_bytes_are_those_of_one_reader(odd, run_build, monkeypatch, bytes_read, limit):
    whole = run_build(odd, limit=limit)
    path, size = str(odd.file), odd.file.stat().st_size
    bytes_read.clear()
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    divided = run_build(odd, limit=limit, launch_options=Parts(2))
    assert divided.digests() == whole.digests()
    assert divided.ledger() == whole.ledger()
    assert divided.rejected() == whole.rejected()
    assert 0.9 * size < bytes_read["stages", path] <= size
    assert size < bytes_read["look", path] < 2 * size, "a sample of odd annotations is read again"


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_a_small_file_is_read_once_by_one_worker(sound, run_build, bytes_read, parts):
    path, size = str(sound.file), sound.file.stat().st_size
    run_build(sound, launch_options=Parts(parts))
    assert bytes_read["look", path] == size
    assert size <= bytes_read["stages", path] < 1.2 * size
    assert bytes_read["fingerprint", path] == 0


def test_small_files_are_read_without_the_stages_that_divide(sound, run_build, monkeypatch):
    monkeypatch.setattr("pipelines.read.Divide", None)
    run_build(sound, launch_options=Parts(2))
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    with pytest.raises(TypeError):
        run_build(sound, launch_options=Parts(2))


def test_a_slice_that_cannot_be_read_ends_the_build(sound, run_build, in_parts, monkeypatch):
    read_range = FileStore.read_range

    def fail(store: FileStore, path: str, start: int, end: int) -> bytes:
        if path == str(sound.file):
            raise InputFileError(f"cannot read {path}: connection reset")
        return read_range(store, path, start, end)

    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    monkeypatch.setattr(FileStore, "read_range", fail)
    with pytest.raises(BuildError, match=r"cannot read .*: connection reset$"):
        run_build(sound, launch_options=in_parts)


@pytest.fixture(scope="module")
def whole_source(sample_world, run_build):
    """The build of a source of the sample world, read by one worker."""
    return cache(lambda name: run_build(sample_world, request={"name": name}))


@pytest.mark.parametrize("parts", [1, 2, 8])
@pytest.mark.parametrize("name", OTHERS)
def test_each_byte_of_other_sources_is_read_once(
    sample_world, whole_source, run_build, monkeypatch, bytes_read, name, parts
):
    whole = whole_source(name)
    bytes_read.clear()
    monkeypatch.setattr(ReadSources, "is_small", lambda *_: False)
    divided = run_build(sample_world, request={"name": name}, launch_options=Parts(parts))
    assert divided.digests() == whole.digests()
    assert divided.ledger() == whole.ledger()
    assert divided.rejected() == whole.rejected()
    folder = f"{sample_world}/{OTHERS[name]}/"
    read = {
        path: number
        for (stage, path), number in bytes_read.items()
        if stage == "stages" and path.startswith(folder) and path[-4:] not in PICTURES
    }
    size = sum(Path(path).stat().st_size for path in read)
    assert size > 2000
    assert size <= sum(read.values()) <= 1.2 * size, "lists of pictures are read by several splits"


@pytest.fixture
def failing(monkeypatch):
    """Lets the stages fail to read a file whose path ends in some way."""
    read = FileStore.read

    def fail(ending: str) -> None:
        def failing_read(store: FileStore, path: str) -> bytes:
            if path.endswith(ending) and not isinstance(store, QuickStore):
                raise InputFileError(f"cannot read {path}: connection reset")
            return read(store, path)

        monkeypatch.setattr(FileStore, "read", failing_read)

    return fail


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize(
    ("name", "file", "faulty"),
    [
        ("flickr30k", "flickr30k_entities/train.txt", "/train.txt"),
        ("flickr30k", "flickr30k_entities/train.txt", "/Annotations/{}.xml"),
        ("llava", "llava/llava_instruct_150k.json", "/llava_instruct_150k.json"),
        ("llava_pretrain", "llava_pretrain/blip_laion_cc_sbu_558k.json", "_558k.json"),
        ("vcr", "vcr/train.jsonl", "/train.jsonl"),
        ("vcr", "vcr/train.jsonl", "/{}.json"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_rejected_item(
    sample_world, run_build, monkeypatch, failing, output_of, tmp_path, name, file, faulty, divided
):
    path = sample_world / file
    if "{}" in faulty:  # the file of one picture, somewhere in the middle
        *_, line, _ = path.read_text().splitlines()
        faulty = faulty.format(Path(json.loads(line)["metadata_fn"]).stem if "{" in line else line)
    failing(faulty)
    monkeypatch.setattr(ReadSources, "is_small", lambda *_: not divided)
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=rf"cannot read .*{re.escape(faulty)}: connection reset$"):
        run_build(sample_world, out, request={"name": name}, launch_options=Parts(2))
    assert [item for item in output_of(out).rejected() if item[0] == "file"] == [
        ("file", str(path), "unreadable_file")
    ]
