"""Workers of a process that has threads: none waits for a lock that a thread held at a fork."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
# The threads of the first build, gRPC's among them, are there when the second one starts. The
# folder has packages of the same names as ours.
SCRIPT = """
import sys
import regionforge

recipe = regionforge.load_recipe("mine.yaml")
for output in ("first", "second"):
    regionforge.launch(regionforge.make_plan(recipe, sys.argv[1], output), workers=2)
    print(regionforge.verify(output).ok)
"""


def test_builds_one_after_another_in_a_process(two_splits, tmp_path):
    root, _ = two_splits
    for name in ("pipelines", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('a foreign package')")
    recipe = "name: mine\nguard: false\nsources: [{name: coco, label_set: Things}]\n"
    (tmp_path / "mine.yaml").write_text(recipe)
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(root)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.splitlines() == ["True", "True"], done.stderr
