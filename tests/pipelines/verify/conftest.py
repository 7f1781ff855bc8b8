"""Builds of the sample world's COCO, with embedded and with referenced pictures."""

import shutil

import pytest

from tests.pipelines.verify.forger import Build

SHAPES = {"label_set": "Shapes-15"}


@pytest.fixture(scope="module")
def built(run_build, sample_world):
    return run_build(sample_world, request=SHAPES, shard_bytes=200_000, guard=False).folder


@pytest.fixture(scope="module")
def built_by_reference(run_build, sample_world):
    options = {"images": "reference", "shard_bytes": 3_000}
    return run_build(sample_world, request=SHAPES, guard=False, **options).folder


@pytest.fixture
def output(built, tmp_path):
    return Build(shutil.copytree(built, tmp_path / "output"))


@pytest.fixture
def referring(built_by_reference, tmp_path):
    return Build(shutil.copytree(built_by_reference, tmp_path / "referring"))
