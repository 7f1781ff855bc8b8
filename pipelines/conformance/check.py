"""The check of the sources that a module declares, on a folder of a few files of each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.conformance.fixture import Fixture
from pipelines.conformance.rules import RULES
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import DatasetSpec

_SHOWN = 20  # problems of a rule


class Checked(NamedTuple):
    """A rule that was tried on a source."""

    source: str
    rule: str
    problems: list[str]  # none: the source keeps the rule


def check_sources(
    specs: Sequence[DatasetSpec], root: str, label_set: str | None = None
) -> Iterator[Checked]:
    """Yield every rule, tried on every release of some sources.

    Args:
        specs: the declarations, which the catalog knows.
        root: the data root with a few files of each, as their owners lay them out.
        label_set: the name of their set of categories; None: their own.

    Raises:
        RegionForgeError: files are missing or cannot be read.
    """
    for spec in specs:
        for year in spec.years or (None,):
            fixture = Fixture(CATALOG[spec.name], root, year=year, label_set=label_set)
            for name, rule in RULES.items():
                problems = list(rule(fixture))
                more = len(problems) - _SHOWN
                shown = [*problems[:_SHOWN], f"and {more:,} more"] if more > 0 else problems
                yield Checked(spec.name, name, shown)
