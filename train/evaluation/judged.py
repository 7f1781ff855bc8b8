"""Judged files as lines of a report: what a judge made of answers that no rule can score.

Files of one judge, asked alike, make one line together; each other judge has a line of its own, so
that numbers of two judges never stand in one column.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import UsageError
from schemas.judged import Judged, Verdict, read_judged
from train.evaluation.figure import Figure

if TYPE_CHECKING:  # it needs torch
    from train.evaluation.report import Line

JudgedMetric = Callable[[Sequence[Verdict]], list[Figure]]


@dataclass(frozen=True, kw_only=True)
class JudgedBench:
    """A benchmark whose answers are judged."""

    name: str  # in judged files, e.g. "dlc"
    metric: JudgedMetric


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """A judged file, and where it lies."""

    path: str
    judged: Judged


def read_judged_files(bench: JudgedBench, paths: Sequence[str]) -> list[JudgedFile]:
    """Return judged files of a benchmark.

    Raises:
        UsageError: a file is of another benchmark.
        InputFileError: a file cannot be read.
    """
    files = []
    for path in paths:
        judged = read_judged(path)
        if judged.run.bench != bench.name:
            raise UsageError(f"--judged {path}: of {judged.run.bench}, expected {bench.name}")
        files.append(JudgedFile(path=path, judged=judged))
    return files


def check_judged(files: Sequence[JudgedFile], predictions: Path) -> None:
    """Raise UsageError where a judge was given other predictions than those that are reported."""
    digest = hashlib.sha256(predictions.read_bytes()).hexdigest()
    for file in files:
        if file.judged.run.predictions != digest:
            raise UsageError(
                f"--judged {file.path}: other answers were judged than those of {predictions}: "
                "judge these, or report the judged ones with their own predictions"
            )


def judged_lines(bench: JudgedBench, files: Sequence[JudgedFile]) -> "list[Line]":
    """Return a line for each judge.

    Raises:
        InputFileError: there are no verdicts, or a question was judged twice.
    """
    from train.evaluation.report import Line

    groups: list[list[Judged]] = []
    for file in files:
        alike = [group for group in groups if not group[0].run.differences(file.judged.run)]
        if alike:
            alike[0].append(file.judged)
        else:
            groups.append([file.judged])
    return [
        Line(
            method="this run",
            judge=group[0].run.title(),
            figures=bench.metric([each for judged in group for each in judged.verdicts]),
        )
        for group in groups
    ]
