"""A build of several sources of the sample world, and exports of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.export.run import Exported, Request, export_build

SOURCES = "coco,refcocog,visual_genome,flickr30k,llava"
Export = Callable[..., Path]


class Written:
    """An export on disk."""

    def __init__(self, folder: Path, outcome: Exported) -> None:
        self.folder = folder
        self.outcome = outcome

    def summary(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "export.json").read_bytes())
        return loaded

    def listed(self) -> dict[str, dict[str, Any]]:
        """The lines of `files.jsonl`, by path."""
        lines = (self.folder / "files.jsonl").read_bytes().splitlines()
        return {line["path"]: line for line in map(json.loads, lines)}


def make_build(command_line, world: Path, folder: Path, *words: str) -> Path:
    done = command_line(
        *("build", "--sources", SOURCES, "--data-root", world, "--output", folder),
        *("--limit", "8", "--edition", "llava=mix665k", "--label-set", "coco=Shapes-15", *words),
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def build(made_once, command_line, sample_world):
    """A build that holds its pictures; some of its records have none."""
    return (
        made_once(
            "export_build", lambda folder: make_build(command_line, sample_world, folder / "build")
        )
        / "build"
    )


@pytest.fixture(scope="session")
def referring(made_once, command_line, sample_world):
    """The same build by reference."""
    return (
        made_once(
            "export_referring",
            lambda folder: make_build(
                command_line, sample_world, folder / "build", "--images", "reference"
            ),
        )
        / "build"
    )


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    """Exports a build."""

    def run(output: Path, **request: Any) -> Written:
        folder = tmp_path_factory.mktemp("export") / "made"
        return Written(folder, export_build(str(output), str(folder), Request(**request)))

    return run


@pytest.fixture(scope="session")
def records(build, output_of):
    """The records of the build by id, without the bytes of their pictures."""
    rows = {row["id"]: row for row in output_of(build).rows()}
    assert any(row["image"] is None for row in rows.values())
    assert len({row["source"] for row in rows.values()}) == 5
    return rows
