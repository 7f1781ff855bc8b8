"""The spool: what waits lies in files of the output, and none of them is left."""

from pathlib import Path

import pytest

from pipelines.output.check import HALF_WRITTEN
from pipelines.storage.spool import Spool, spool_folder, value_of
from schemas.errors import InputFileError


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_values_come_back_once_the_spool_is_closed(tmp_path):
    spools = [Spool(str(tmp_path)) for _ in range(2)]
    values = [b"first", b"", b"second" * 99_999]
    spooled = [[spool.put(value) for value in values] for spool in spools]
    for spool in spools:
        spool.close()
    assert [[value_of(each) for each in several] for several in spooled] == [values, values]
    assert len(written(tmp_path)) == 2, "each has a file of its own"


def test_without_a_folder_values_stay_in_memory(tmp_path):
    spool = Spool(None)
    assert value_of(spool.put(b"value")) == spool.put(b"value") == b"value"
    spool.close()
    assert written(tmp_path) == []


def test_a_spool_without_a_value_has_no_file(tmp_path):
    Spool(str(tmp_path)).close()
    assert written(tmp_path) == []


def fail_with_a_value(output: Path) -> None:
    with spool_folder(str(output)) as folder:
        spool = Spool(folder)
        spool.put(b"value")
        spool.close()
        (name,) = set(written(output)) - {"_state/build.json"}
        assert HALF_WRITTEN.fullmatch(name), "the next run deletes what a killed one leaves"
        raise ValueError("it fails")


def test_a_run_leaves_no_file_of_its_own(tmp_path):
    (tmp_path / "_state").mkdir()
    (tmp_path / "_state" / "build.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="it fails"):
        fail_with_a_value(tmp_path)
    assert written(tmp_path) == ["_state/build.json"]


def test_a_store_has_no_spool():
    with spool_folder("gs://bucket/output") as folder:
        assert folder is None


def test_a_file_that_is_gone_is_named(tmp_path):
    spool = Spool(str(tmp_path))
    spooled = spool.put(b"value")
    spool.close()
    (path,) = tmp_path.iterdir()
    path.unlink()
    with pytest.raises(InputFileError, match=rf"cannot read {path}: No such file"):
        value_of(spooled)
