"""What tests of reports share: an output of `recap` with rejected captions, and its report."""

from pathlib import Path

import pytest

from pipelines.cli.parser import run


def _recap(world: Path, folder: Path) -> None:
    words = ["--source", "coco", "--label-set", "Shapes-15", "--captioner", "builtin"]
    where = ["--data-root", str(world), "--output", str(folder / "recapd")]
    assert run(["recap", *words, *where, "--threshold", "0.5118"]) == 0


@pytest.fixture(scope="session")
def recapd(sample_world, made_once):
    """An output of `recap`, a third of whose captions were rejected, read-only."""
    pytest.importorskip("open_clip", reason="needs the extra clip")
    return (
        made_once("recapd_with_rejections", lambda folder: _recap(sample_world, folder)) / "recapd"
    )


@pytest.fixture(scope="session")
def recapd_report(recapd, sample_world, made_once):
    """The folder of its report, with the pictures of rejected captions, read-only."""

    def write(folder: Path) -> None:
        words = ["--data-root", str(sample_world)]
        assert run(["report", str(recapd), "--to", str(folder / "report"), *words]) == 0

    return made_once("recapd_report", write) / "report"


@pytest.fixture(scope="session")
def mixed(sample_world, made_once):
    """A build of several sources, read-only."""

    def build(folder: Path) -> None:
        words = ["--sources", "coco,refcoco,vcr,llava", "--label-set", "coco=Shapes-15"]
        where = ["--data-root", str(sample_world), "--output", str(folder / "mixed")]
        assert run(["build", *words, "--limit", "12", *where]) == 0

    return made_once("mixed_for_reports", build) / "mixed"
