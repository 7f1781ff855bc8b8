"""Reading shards: what Arrow takes on faith is checked, and damage is raised by name."""

import hashlib

import pyarrow as pa
import pytest

from pipelines.shards.reader import DAMAGE, HashingSource, ShardStream, read_batches

SCHEMA = pa.schema([("id", pa.string())])


@pytest.fixture
def shard(tmp_path):
    """A shard of two batches, and where the second begins and ends."""
    path = tmp_path / "shard.arrow"
    with path.open("wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        ends = []
        for ids in (["a", "b"], ["c"]):
            stream.write_batch(pa.record_batch([pa.array(ids)], schema=SCHEMA))
            ends.append(file.tell())
    return path, ends


def ids(path) -> list[str]:
    return [row["id"] for batch in read_batches(str(path)) for row in batch.to_pylist()]


def test_batches_come_in_order(shard):
    assert ids(shard[0]) == ["a", "b", "c"]


def test_every_byte_is_hashed_once(shard):
    content = shard[0].read_bytes()
    with shard[0].open("rb", buffering=0) as file:
        source = HashingSource(file, len(content))
        assert sum(len(batch) for batch in ShardStream(source)) == 3
    assert (source.bytes, source.sha256()) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("batch", [0, 1])
def test_a_stream_cut_after_a_batch(shard, batch):
    path, ends = shard
    path.write_bytes(path.read_bytes()[: ends[batch]])
    with pytest.raises(pa.ArrowInvalid, match="breaks off without an end-of-stream marker"):
        ids(path)


def test_a_stream_that_goes_on_after_its_end(shard):
    path, _ = shard
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(pa.ArrowInvalid, match="goes on after its end-of-stream marker"):
        ids(path)


def test_every_cut_is_damage(shard):
    path, _ = shard
    content = path.read_bytes()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(DAMAGE):
            ids(path)


def test_offsets_that_point_elsewhere_are_damage(shard):
    path, _ = shard
    content = bytearray(path.read_bytes())
    offset = content.index((2).to_bytes(4, "little"), content.index(b"ab") - 24)
    content[offset : offset + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(pa.ArrowInvalid, match="ffset"):
        ids(path)


def test_a_length_is_not_believed(shard):
    path, _ = shard
    with path.open("rb", buffering=0) as file:
        assert len(HashingSource(file, 40).read(2**60)) == 40


@pytest.mark.parametrize("content", [b"", b"not Arrow", b"\xff" * 64])
def test_something_else_is_damage(tmp_path, content):
    (tmp_path / "shard.arrow").write_bytes(content)
    with pytest.raises(DAMAGE):
        ids(tmp_path / "shard.arrow")
