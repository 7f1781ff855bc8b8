"""What tests of reports share: an output of `recap` with rejected captions, and its report."""

from pathlib import Path

import pytest

from pipelines.cli.parser import run
from pipelines.report.cards import Card
from pipelines.report.grids import PER_PAGE, Facets, Judged, write_grids
from pipelines.report.index import IndexPage, write_index
from pipelines.report.pictures import Thumbnail
from pipelines.report.spool import Spool

_GIF = "R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="


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


@pytest.fixture(scope="session")
def mixed_report(mixed, made_once):
    """The folder of the report of a build of several sources, read-only."""

    def write(folder: Path) -> None:
        assert run(["report", str(mixed), "--to", str(folder / "mixed_report")]) == 0

    return made_once("mixed_report", write) / "mixed_report"


def _card(number: int) -> Card:
    picture = Thumbnail(f"data:image/gif;base64,{_GIF}", 1, 1)
    return Card(
        rank=number,
        id=f"coco/train/{number}/region_detailed_caption/0",
        region=str(number),
        source="coco",
        task="region_detailed_caption",
        outcome="caption_short" if number < 10 or 700 < number < 800 else "kept",
        category=f"class {number % 1200}",
        texts=[f"The caption of {number} has some words, and a few more of them. " * 6],
        clip=number / 1e6,
        picture=picture,
    )


@pytest.fixture(scope="session")
def many_cards():
    """Writes the index of a number of drawn cards, and their first pages of captions."""

    def write(folder: Path, count: int) -> Path:
        judged = Judged("output", "digest", "scorer", 0.2)
        with Spool() as spool:
            for number in range(min(count, 850)):
                spool.add(_card(number))
            write_grids(spool, str(folder), judged)
        facets = Facets()
        for start in range(0, count, PER_PAGE):
            facets.add([_card(number) for number in range(start, min(count, start + PER_PAGE))])
        page = IndexPage(folder=str(folder), judged=judged, shown=count, cards=count, facets=facets)
        write_index(page, facts={}, charts=[], flows=[])
        return folder

    return write


@pytest.fixture(scope="session")
def many_report(many_cards, made_once):
    """The folder of a report with three pages of captions, the first and last with short ones."""
    made = made_once("many_report", lambda folder: many_cards(folder / "many_report", 850))
    return made / "many_report"
