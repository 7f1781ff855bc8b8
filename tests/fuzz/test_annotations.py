"""A fixed part of the damaged annotation files of `make fuzz`, which has thousands.

All are of the sample world, and each of its 18 sources has 16 of them at least.
"""

import shutil

import pytest

from tests.fuzz.stages import STAGES, Setting
from tests.fuzz.targets import write_small_world

CASES, CHUNK = 300, 50
SEED = 1


@pytest.fixture(scope="session")
def setting(made_once, tmp_path_factory):
    folder = made_once("fuzz", lambda folder: write_small_world(folder / "world"))
    scratch = tmp_path_factory.mktemp("fuzz")
    yield Setting(folder=folder, scratch=scratch, seed=SEED)
    shutil.rmtree(scratch)


@pytest.mark.parametrize("start", range(0, CASES, CHUNK))
def test_damaged_annotation_files(setting, start):
    results = STAGES["annotations-world"].run(setting, range(start, start + CHUNK))
    faulty = [result for result in results if result.faults]
    assert not faulty, "\n".join(
        f"python -m tests.fuzz --seed {SEED} --case {result.case}: {result.faults[0]}"
        for result in faulty
    )
