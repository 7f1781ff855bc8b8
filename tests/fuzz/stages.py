"""The stages of a fuzz run: what is damaged, and how much of it one worker does at a time.

annotations-world    annotation files and pickles of the sample world, one at a time
annotations-real     the same of the real samples, where there are any
builds               files of the world in a whole build, which is verified
pictures             pictures by the hundred in a build, which is verified
answers              answers of a server by the hundred in a run of `recap`
rows                 shards by the hundred in one `verify`
kills                builds that are killed, stopped, starved of disk or memory, then run again
recap-kills          runs of `recap` that are killed, then run again
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import samples_folder
from tests.fuzz.annotations import case_of, run_case, run_cases, shrunk
from tests.fuzz.answers import run_answers
from tests.fuzz.builds import run_builds, run_pictures
from tests.fuzz.kills import run_kills
from tests.fuzz.real_world import real_targets, write_real_world
from tests.fuzz.recap_kills import run_recap_kills
from tests.fuzz.result import Result
from tests.fuzz.rows import run_rows
from tests.fuzz.targets import Target, world_targets, write_small_world


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all cases of a run share."""

    folder: Path  # of the worlds, shared by all workers
    scratch: Path  # of one worker
    seed: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run: its name, its cases, and how to run some of them."""

    name: str
    chunk: int  # cases of one process
    run: Callable[[Setting, Iterable[int]], Iterator[Result]]


def prepare(folder: Path) -> None:
    """Draw the worlds that all workers share, unless they are there."""
    for name, write in (("world", write_small_world), ("real", _write_real)):
        if not (folder / name).exists():
            (folder / f"{name}.unfinished").mkdir(parents=True)
            write(folder / f"{name}.unfinished")
            (folder / f"{name}.unfinished").rename(folder / name)


def _write_real(folder: Path) -> None:
    samples = samples_folder()
    if samples is not None:
        write_real_world(samples, folder)


def _targets(setting: Setting, kind: str) -> list[Target]:
    make = world_targets if kind == "world" else real_targets
    return make(setting.folder / kind, setting.scratch)


def _annotations(kind: str) -> Callable[[Setting, Iterable[int]], Iterator[Result]]:
    def run(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
        return run_cases(_targets(setting, kind), kind, numbers, setting.seed)

    return run


def _builds(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_builds(_targets(setting, "world"), numbers, setting.seed)


def _pictures(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_pictures(setting.scratch, numbers, setting.seed)


def _answers(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_answers(setting.folder / "world", setting.scratch, numbers, setting.seed)


def _kills(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_kills(setting.folder / "world", setting.scratch, numbers, setting.seed)


def _recap_kills(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_recap_kills(setting.folder / "world", setting.scratch, numbers, setting.seed)


def _rows(setting: Setting, numbers: Iterable[int]) -> Iterator[Result]:
    return run_rows(setting.folder / "world", setting.scratch, numbers, setting.seed)


def shrink(setting: Setting, kind: str, number: int) -> bytes:
    """Return a short content of a file that fails as a case does, with the faults it has."""
    case = case_of(_targets(setting, kind), kind, number, setting.seed)
    return shrunk(case) if run_case(case).faults else case.mutation.content


STAGES = {
    stage.name: stage
    for stage in (
        Stage(name="annotations-world", chunk=250, run=_annotations("world")),
        Stage(name="annotations-real", chunk=250, run=_annotations("real")),
        Stage(name="builds", chunk=20, run=_builds),
        Stage(name="pictures", chunk=2, run=_pictures),
        Stage(name="answers", chunk=2, run=_answers),
        Stage(name="rows", chunk=6, run=_rows),
        Stage(name="kills", chunk=20, run=_kills),
        Stage(name="recap-kills", chunk=10, run=_recap_kills),
    )
}
