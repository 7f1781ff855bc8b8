"""The index of a report: figures of the whole output, and links to all pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.preview.facts import Facts
from pipelines.report import names
from pipelines.report.charts import Chart
from pipelines.report.flow import Flow
from pipelines.report.grids import Facets, Judged
from pipelines.report.render import render
from pipelines.storage import files


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage:
    """What the other pages of a report show."""

    folder: str  # of the report
    judged: Judged
    shown: int  # records
    cards: int
    facets: Facets  # of the pages of captions
    records: int = 0  # pages of records


def write_index(
    page: IndexPage, *, facts: Facts, charts: Sequence[Chart], flows: Sequence[Flow]
) -> None:
    """Write the index of a report.

    Args:
        page: what the other pages show.
        facts: figures of the output, by section and label.
        charts: the charts of the output.
        flows: its ledger.
    """
    content = render(
        "index",
        judged=page.judged,
        facts=facts,
        shown=page.shown,
        cards=page.cards,
        facets=page.facets,
        captions=[names.captions_page(number + 1) for number in range(len(page.facets.pages))],
        records=[names.records_page(number + 1) for number in range(page.records)],
        judge=names.JUDGE,
        charts=charts,
        flows=flows,
    )
    files.write_whole(files.join(page.folder, names.INDEX), content)
