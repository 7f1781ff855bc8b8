"""The grids: pages of cards to judge, and the counts by which the index finds cards on pages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.report import names
from pipelines.report.cards import Card
from pipelines.report.render import render
from pipelines.report.spool import Spool
from pipelines.storage import files
from schemas.visible import visible

PER_PAGE = 300
FAIR = 200  # captions of the fair sample


@dataclass(frozen=True, slots=True)
class Judged:
    """What marks are about, as each page says it to whoever saves them."""

    output: str  # the folder of the output, as it was named
    digest: str  # of the output's manifest
    scorer: str  # the identity of the scorer and its view; empty: nothing was scored
    threshold: float | None


@dataclass(slots=True)
class Facets:
    """For each page, how many of its cards have which source, task, outcome and category."""

    values: dict[str, int] = field(default_factory=dict)  # each value, and its number
    pages: list[list[list[int]]] = field(default_factory=list)  # four values, and the count
    spans: list[str] = field(default_factory=list)  # the scores on each page, in words

    def add(self, cards: Sequence[Card]) -> None:
        """Add a page."""
        keys = ((card.source, card.task, card.outcome, card.category) for card in cards)
        self.pages.append(
            [[*map(self._number, key), count] for key, count in Counter(keys).items()]
        )
        scored = [card.clip for card in cards if card.clip is not None]
        self.spans.append(f"{scored[0]:.3f} to {scored[-1]:.3f}" if scored else "")

    def _number(self, value: str) -> int:
        return self.values.setdefault(visible(value), len(self.values))


def write_grids(spool: Spool, folder: str, judged: Judged) -> Facets:
    """Write the fair sample and all pages of captions, and return the counts of the latter."""
    facets = Facets()
    fair = spool.fair_sample(FAIR)
    _write(folder, names.JUDGE, fair, judged, _Page("A fair sample to judge"))
    count = -(-len(spool) // PER_PAGE)
    for number, cards in enumerate(spool.by_score(PER_PAGE), start=1):
        facets.add(cards)
        page = _Page(
            f"Page {number} of {count}",
            names.captions_page(number - 1) if number > 1 else "",
            names.captions_page(number + 1) if number < count else "",
        )
        _write(folder, names.captions_page(number), cards, judged, page)
    return facets


class _Page(NamedTuple):
    title: str
    before: str = ""  # the name of the page before it; empty: none
    after: str = ""


def _write(folder: str, name: str, cards: Sequence[Card], judged: Judged, page: _Page) -> None:
    content = render("grid", **page._asdict(), cards=cards, judged=judged, index=names.INDEX)
    files.write_whole(files.join(folder, name), content)
