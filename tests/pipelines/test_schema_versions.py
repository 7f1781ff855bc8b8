"""`datasets` opens outputs of both schema versions where nothing of ours can be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
