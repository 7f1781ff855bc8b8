"""Verify: manifest, rows and what a rerun goes by tell of one build."""

import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.verify import Report, verify
from pipelines.verify.report import print_report

BUILD = "_state/build.json"


@pytest.fixture(scope="module")
def built(coco_file, run_build):
    return run_build(coco_file().good().save(), guard=False, seed=3).folder


@pytest.fixture
def output(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "output"))


def change(path: Path, **changes) -> None:
    """Change the recipe in a manifest, or in what a rerun goes by."""
    content = json.loads(path.read_bytes())
    content.get("identity", content)["recipe"] |= changes
    path.write_text(json.dumps(content), encoding="utf-8")


def rows_of(output: Path) -> list[str]:
    (path,) = output.glob("coco/*.arrow")
    with pa.ipc.open_stream(path) as stream:
        return list(map(str, stream.read_all()["id"]))


def problems(output: Path) -> list[str]:
    return verify(str(output)).problems


def test_a_clean_build_with_and_without_what_a_rerun_goes_by(output):
    assert problems(output) == []
    (output / BUILD).unlink()
    assert problems(output) == []


@pytest.mark.parametrize(("key", "was", "value"), [("seed", 3, 4), ("name", "all", "mix")])
def test_rows_that_are_of_another_build_than_the_manifest(output, key, was, value):
    for name in ("manifest.json", BUILD):
        change(output / name, **{key: value})
    field = {"seed": "seed", "name": "recipe"}[key]
    lines = [line for line in problems(output) if "provenance" in line]
    assert lines == [
        f"coco/train-00000-of-00001.arrow: row {row!r}: provenance.{field} is {was!r}, "
        f"expected {value!r} as in the manifest"
        for row in rows_of(output)
    ]


def test_rows_of_another_builder(output):
    path = output / "manifest.json"
    path.write_text(path.read_text("utf-8").replace("regionforge ", "regionforge 9"), "utf-8")
    lines = problems(output)
    assert sum("provenance.builder is 'regionforge " in line for line in lines) == 3
    assert lines[-1] == f"{BUILD}: its coco.builder is not that of manifest.json"


def test_a_manifest_whose_recipe_is_not_what_was_built(output):
    change(output / "manifest.json", merge=True, sources="coco")
    assert problems(output) == [
        f"{BUILD}: its recipe.merge is not that of manifest.json",
        f"{BUILD}: its recipe.sources is not that of manifest.json",
    ]


def test_what_a_rerun_goes_by_is_unreadable(output):
    (output / BUILD).write_text("{", encoding="utf-8")
    assert problems(output) == [f"{BUILD}: cannot be read as what a build is made of"]


def test_a_problem_with_a_name_that_is_no_utf_8_is_printed(monkeypatch, tmp_path):
    with (tmp_path / "shown").open("w", encoding="utf-8", errors="strict") as shown:
        monkeypatch.setattr(sys, "stdout", shown)
        print_report(Report(problems=["\udcff.arrow: is not"], rows=0, shards=0, bytes=0))
    assert "wrong \\udcff.arrow: is not" in (tmp_path / "shown").read_text("utf-8")
