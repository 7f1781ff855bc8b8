"""Records of an output that nest without end are read as damaged: the build is done again."""

import os

import pytest

from pipelines.verify import verify

DEEP = [b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000]


@pytest.fixture(scope="module")
def built(coco_file, run_build):
    """A file, and the digests of its shards."""
    owner = coco_file().good().save()
    os.utime(owner.file, (1e9, 1e9))  # digests are remembered of a file that has settled
    return owner, run_build(owner).digests()


@pytest.mark.parametrize("content", DEEP, ids=["brackets", "objects"])
@pytest.mark.parametrize("name", ["_state/inputs.json", "_state/coco.json", "_state/coco/*.json"])
def test_a_record_of_what_is_finished(built, run_build, tmp_path, name, content) -> None:
    owner, digests = built
    run_build(owner, tmp_path)
    (record, *_) = tmp_path.glob(name)
    record.write_bytes(content)
    assert run_build(owner, tmp_path).digests() == digests
    assert verify(str(tmp_path)).ok


@pytest.mark.parametrize("name", ["ledger.json", "_rejected/coco.jsonl", "_state/build.json"])
def test_a_record_that_is_verified(built, run_build, tmp_path, name) -> None:
    owner, _ = built
    owner.region(99, 98)
    owner.save()
    run_build(owner, tmp_path)
    (tmp_path / name).write_bytes(DEEP[0])
    assert any(name in problem for problem in verify(str(tmp_path)).problems)
