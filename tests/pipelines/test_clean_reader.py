"""A reader needs `datasets` and Pillow, and nothing of ours: shown in an environment of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
NO_NETWORK = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "Name or service not known",
    "ProxyError",
)

WAYS = {"one config": {"name": "coco"}, "streaming": {"name": "coco", "streaming": True}, "all": {}}

READER = """
import json, sys
from importlib.util import find_spec
from datasets import load_dataset

assert not any(map(find_spec, ("schemas", "pipelines", "pycocotools", "apache_beam", "torch")))
counts = {}
for name, words in json.loads(sys.argv[2]).items():
    data = load_dataset(sys.argv[1], **words)
    counts[name] = dict.fromkeys(data, 0)
    for split in data:
        for row in data[split]:
            row["image"].load()
            assert row["image"].size == (row["width"], row["height"])
            assert "<image>" in row["messages"][0]["content"]
            counts[name][split] += 1
print(json.dumps(counts))
"""


@pytest.fixture
def reader():
    """A Python that has `datasets` and Pillow."""
    with tempfile.TemporaryDirectory(prefix="regionforge-reader-") as home:
        venv.create(home)
        python = Path(home) / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
        words = ["install", "-q", "--no-compile", "-c", str(CONSTRAINTS), "datasets", "pillow"]
        done = subprocess.run([*pip, *words], capture_output=True, text=True)
        if done.returncode and any(sign in done.stderr for sign in NO_NETWORK):
            pytest.skip("no package index can be reached, so no clean environment can be made")
        assert done.returncode == 0, done.stderr
        yield python


@pytest.mark.timeout(900)  # it installs a hundred megabytes, and therefore once for both worlds
def test_shards_open_without_our_code(
    request, reader, sample_world, run_build, output_of, version_1, tmp_path
):
    outputs = [run_build(sample_world, request={"label_set": "Shapes-15"}, shard_bytes=200_000)]
    with contextlib.suppress(pytest.skip.Exception):  # other tests are skipped by name for that
        outputs.append(run_build(request.getfixturevalue("tinycoco")))
    outputs.append(output_of(version_1 / "build"))
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    for output in outputs:
        done = subprocess.run(
            [reader, "-c", READER, output.folder, json.dumps(WAYS)],
            env=env,
            cwd=tmp_path,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        shards = json.loads((output.folder / "manifest.json").read_bytes())["shards"]
        counts = dict.fromkeys((shard["split"] for shard in shards), 0)
        for shard in shards:
            counts[shard["split"]] += shard["rows"]
        assert json.loads(done.stdout) == dict.fromkeys(WAYS, counts)
