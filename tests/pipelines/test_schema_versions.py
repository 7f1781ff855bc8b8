"""`datasets` opens outputs of both schema versions without our code; our own refuses version 1."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import regionforge
from schemas.errors import RegionForgeError

READER = """
import json, sys

class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"schemas", "prompts", "transforms", "pipelines",
                                      "regionforge", "pycocotools", "apache_beam"}:
            raise ModuleNotFoundError(f"{name} is barred", name=name)

sys.meta_path.insert(0, Barred())
from datasets import load_dataset

data = load_dataset(sys.argv[1], sys.argv[2])
rows = []
for split in data.values():
    for row in split:
        row["image"].load()
        assert row["image"].size == (row["width"], row["height"])
        rows.append({name: value for name, value in row.items() if name != "image"})
print(json.dumps(rows))
"""


def opened(folder: Path, config: str, cache: Path) -> list[dict[str, Any]]:
    """Every row of a config, as a process reads it that has nothing of ours."""
    env = os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READER, folder, config], env=env, cwd=cache, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


@pytest.mark.parametrize(("name", "config"), [("build", "coco"), ("recapd", "recapd")])
def test_version_1_opens(version_1, tmp_path, name, config):
    rows = opened(version_1 / name, config, tmp_path)
    assert {row["split"] for row in rows} == {"train", "val"}
    for row in rows:
        assert "image_hash" not in row
        assert row["evaluation"] is None
        for region in row["regions"]:
            assert (region["score"] is None) == (name == "build")
            assert "captions" not in region


def test_version_2_opens(coco_file, run_build, tmp_path):
    owner = coco_file().good(1)
    owner.region(13, 1, area=88.5)
    output = run_build(owner.save())
    rows = opened(output.folder, "coco", tmp_path)
    assert rows == [
        {name: value for name, value in row.items() if name != "image"} for row in output.rows()
    ]
    areas = {region["region_id"]: region["area"] for row in rows for region in row["regions"]}
    assert areas == {"11": None, "12": None, "13": 88.5}
    assert all(region["captions"] == [] for row in rows for region in row["regions"])


def test_an_evaluation_of_version_2_opens(sample_world, run_build, tmp_path):
    request = {"label_set": "Shapes-15"}
    output = run_build(sample_world, request=request, evaluation=True, limit=2)
    rows = opened(output.folder, "coco", tmp_path)
    assert rows
    for row in rows:
        (entry,) = row["evaluation"]
        assert (entry["turn"], entry["position"]) == (0, 0)
        assert entry["references"] == [row["messages"][-1]["content"]]


@pytest.mark.parametrize(
    "words",
    [
        "verify {build}",
        "preview {build} --html {new}",
        "calibrate {recapd} --device cpu --to {new}.json",
        "build --sources coco --data-root {world} --label-set Shapes-15 --limit 1 --output {build}",
        "build --sources v3det --data-root {world} --recapd {recapd} --output {new}",
    ],
)
def test_our_commands_refuse_version_1_in_one_line(
    version_1, sample_world, command_line, tmp_path, words
):
    folders = {name: str(version_1 / name) for name in ("build", "recapd")}
    before = sorted(path.read_bytes() for path in version_1.rglob("*") if path.is_file())
    given = words.format(world=sample_world, new=tmp_path / "new", **folders)
    done = command_line(*given.split())
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == (2 if "--recapd" in words else 1)  # 2: a flag's value
    assert re.search(r"schema (version )?1\b.*\bbuild", line), line
    assert "Traceback" not in done.stderr
    assert sorted(path.read_bytes() for path in version_1.rglob("*") if path.is_file()) == before
    assert not (tmp_path / "new").exists()


def test_python_refuses_version_1(version_1):
    with pytest.raises(RegionForgeError, match=r"schema (version )?1\b.*\bbuild"):
        next(iter(regionforge.read_shards(version_1 / "build")))
    with pytest.raises(RegionForgeError, match=r"schema (version )?1\b.*\bbuild"):
        regionforge.verify(version_1 / "build")
