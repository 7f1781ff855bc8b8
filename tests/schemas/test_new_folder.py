"""A folder that is written whole or not at all: what its errors say."""

import errno
import os

import pytest

from schemas.errors import RegionForgeError, UsageError
from schemas.new_folder import new_folder

FULL = errno.ENOSPC, "No space left on device"


@pytest.mark.parametrize(
    ("file", "named"), [("part/0.json", "part/0.json: "), (".", ""), (None, "")]
)
def test_a_failure_names_no_temporary_folder(file, named, tmp_path):
    with (
        pytest.raises(RegionForgeError) as ended,
        new_folder(tmp_path / "export") as partial,
    ):
        raise OSError(*FULL, file and str(partial / file))
    assert str(ended.value) == f"{tmp_path}/export: not written: {named}{FULL[1]}"
    assert os.listdir(tmp_path) == []


def test_an_error_of_a_library_names_no_temporary_folder(tmp_path):
    with (
        pytest.raises(RegionForgeError) as ended,
        new_folder(tmp_path / "export", failures=(ValueError,)) as partial,
    ):
        raise ValueError(f"cannot write {partial}/model.safetensors")
    assert str(ended.value) == f"{tmp_path}/export: not written: cannot write model.safetensors"


def test_a_folder_that_cannot_be_made_is_named_by_its_name(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError) as ended, new_folder(tmp_path / "file" / "export"):
        pass
    reason = f"{tmp_path}/file: File exists"
    assert str(ended.value) == f"{tmp_path}/file/export: cannot be made: {reason}"
