"""Every record of an evaluation holds what it is scored by, and no other record does."""

import json

import pytest

from pipelines.verify import verify


def told_otherwise(output, evaluation):
    """What verification says of the records once the build says otherwise of its recipe."""
    path = output.folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["identity"]["recipe"]["evaluation"] = evaluation
    path.write_text(json.dumps(manifest))
    (output.folder / "_state" / "build.json").write_text(json.dumps(manifest["identity"]))
    return verify(str(output.folder)).problems


@pytest.mark.parametrize("evaluation", [True, False])
def test_records_are_as_the_recipe_has_them(coco_file, run_build, evaluation):
    output = run_build(coco_file().good(1).save(), evaluation=evaluation)
    assert verify(str(output.folder)).problems == []
    problems = told_otherwise(output, not evaluation)
    assert len(problems) == len(output.rows())
    expected = "evaluation has entries, expected none" if evaluation else "evaluation is empty"
    assert all(expected in line for line in problems)
