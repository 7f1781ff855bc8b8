"""What a report is made of: the run's facts, and lines of scores, ours and published ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from train.evaluation.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Line:
    """The scores of one method, as a line of a table.

    >>> Line(method="this run", figures=(Figure(name="accuracy", value=81.2, count=36335),)).judge
    ''
    """

    method: str  # "this run", "RegionGPT"
    figures: Sequence[Figure]  # of published ones the count is 0: not stated
    judge: str = ""  # who judged the answers, and with what; lines of two judges share no table
    source: str = ""  # where it is published, e.g. "RegionGPT, Table 3"
    note: str = ""  # what differs in the protocol


@dataclass(frozen=True, kw_only=True)
class Report:
    """An evaluation and what it stands beside."""

    title: str  # the recipe of the build, e.g. "eval_coco"
    facts: Mapping[str, str]  # by label: the checkpoint, the form of regions, answers per second
    ours: Sequence[Line]  # of this run: one, and one for each judged file
    published: Sequence[Line] = ()  # see `published`
    notes: Sequence[str] = ()  # what a reader must know to compare


def published_line(
    method: str, source: str, values: Mapping[str, float], *, note: str = "", judge: str = ""
) -> Line:
    """Return a line of published values by name, where a name may begin with its group.

    >>> published_line("A", "Table 1", {"val: accuracy": 86.4}).figures
    (Figure(name='accuracy', value=86.4, count=0, group='val', note=''),)
    """
    figures = []
    for key, value in values.items():
        group, _, name = key.rpartition(": ")
        figures.append(Figure(name=name, value=value, count=0, group=group))
    return Line(method=method, figures=tuple(figures), judge=judge, source=source, note=note)
