"""Folders that transformers cannot load: the error names the folder and what is wrong with it."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from schemas.errors import InputFileError

WEIGHTS = "model.safetensors"


class Runs:
    """What a malicious pickle holds: opening it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def put_code(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"weight": Runs(folder / "ran")}, folder / "pytorch_model.bin")


def cut_off(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-100])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (put_code, "a pickle of more than tensors, which could run any code, is not opened"),
        (cut_off, "a weight file is cut off, or not safetensors"),
    ],
)
def test_folders_with_bad_weights_are_named(fresh, tmp_path: Path, spoil, message: str) -> None:
    folder = tmp_path / "model"
    fresh("regiongpt").save_pretrained(folder)
    spoil(folder)
    with pytest.raises(InputFileError, match=f"^{folder}: .*{message}"):
        AutoModel.from_pretrained(folder)
    assert not (folder / "ran").exists()
