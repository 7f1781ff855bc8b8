"""A stand-in for vLLM as its executable, and a tiny model."""

import sys
from pathlib import Path

import pytest

from model.presets import tiny_regiongpt
from tests.lively import write_lively_model

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The stand-in as an executable `vllm`."""
    path: Path = tmp_path_factory.mktemp("bin") / "vllm"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of a RegionGPT."""
    path: Path = tmp_path_factory.mktemp("models") / "regiongpt"
    write_lively_model(path, tiny_regiongpt())
    return path
