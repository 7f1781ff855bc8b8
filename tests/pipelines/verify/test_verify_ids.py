"""No two rows of a build bear one id: small shards, of nothing but ids."""

import pyarrow as pa
import pytest

from pipelines.verify.ids import repeated_ids
from pipelines.verify.shard import Finding, digest_of

SCHEMA = pa.schema([("id", pa.string())])


def write(folder, name: str, *batches: list[str]) -> Finding:
    with (folder / name).open("wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        for ids in batches:
            stream.write_batch(pa.record_batch([pa.array(ids, pa.string())], schema=SCHEMA))
    digests = b"".join(digest_of(record_id) for ids in batches for record_id in ids)
    return Finding(path=name, rows=sum(map(len, batches)), ids=bytearray(digests))


def problems(folder, *findings: Finding) -> list[str]:
    return list(repeated_ids(str(folder), findings))


def test_nothing_to_compare(tmp_path):
    assert problems(tmp_path) == []
    assert problems(tmp_path, write(tmp_path, "a")) == []


def test_ids_that_differ(tmp_path):
    assert problems(tmp_path, write(tmp_path, "a", ["1", "2"]), write(tmp_path, "b", ["3"])) == []


@pytest.mark.parametrize("batches", [[["1", "2", "1"]], [["1"], ["2", "1", "3"]], [["1", "1"], []]])
def test_an_id_twice_in_a_shard(tmp_path, batches):
    assert problems(tmp_path, write(tmp_path, "a", *batches)) == ["a: 2 rows have the id '1'"]


def test_ids_of_several_shards(tmp_path):
    findings = [write(tmp_path, name, ["1", name], ["2"]) for name in ("a", "b", "c")]
    assert problems(tmp_path, *findings) == [
        "a, b, c: 3 rows have the id '1'",
        "a, b, c: 3 rows have the id '2'",
    ]


def test_a_damaged_shard_is_read_no_further_than_its_rows_were(tmp_path):
    findings = write(tmp_path, "a", ["1", "1"])
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:-8])
    assert problems(tmp_path, findings) == ["a: 2 rows have the id '1'"]
