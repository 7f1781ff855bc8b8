"""The figures of a build as tables for the console."""

from collections import Counter

from rich.filesize import decimal
from rich.table import Table

from pipelines.card.mix import task_shares
from pipelines.info.figures import Figures, SplitFigures, Spread
from schemas.console import Console, line
from schemas.visible import abridged

_SHOWN = 8  # categories of a source, the most frequent ones
_LEFT = {"source", "split", "task", "what", "name", "most frequent"}  # columns of names


def print_figures(figures: Figures, console: Console) -> None:
    """Print what a build was made by, and tables of its figures."""
    manifest = figures.manifest
    recipe = manifest.identity.recipe
    facts = (
        f"recipe {recipe.get('name')}",
        f"style {recipe.get('style')}",
        f"seed {recipe.get('seed')}",
        "pictures referred to" if recipe.get("images") == "reference" else "pictures embedded",
        f"by {manifest.identity.builder}",
    )
    console.print(line(" · ".join(facts)), soft_wrap=True)
    tables = {
        "records": _splits(figures),
        "sizes: regions of a record, longer side of pictures, boxes below 32² and 96² pixels": (
            _sizes(figures)
        ),
        "tasks: turns, and words of an answer": _tasks(figures),
        "categories of regions": _categories(figures),
        "provenance": _provenance(figures),
    }
    for title, table in tables.items():
        if table.row_count:
            console.print(line((title, "bold")), soft_wrap=True)
            console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in _LEFT else "right", overflow="fold")
    return table


def _splits(figures: Figures) -> Table:
    table = _table("source", "split", "records", "pictures", "regions", "masks", "shards", "size")
    total = SplitFigures()
    for (source, split), each in sorted(figures.splits.items()):
        table.add_row(source, split, *_counts(each))
        total.records += each.records
        total.pictures += each.pictures
        total.boxes += each.boxes
        total.masks += each.masks
        total.shards += each.shards
        total.bytes += each.bytes
    if len(figures.splits) > 1:
        table.add_row("all", "", *_counts(total))
    return table


def _counts(split: SplitFigures) -> list[str]:
    numbers = (split.records, split.pictures, split.region_total, split.masks, split.shards)
    return [*(f"{number:,}" for number in numbers), decimal(split.bytes)]


def _sizes(figures: Figures) -> Table:
    table = _table(
        "source", "split", "regions", "most", "side", "longest", "small", "medium", "large"
    )
    for (source, split), each in sorted(figures.splits.items()):
        boxes = max(1, each.region_total)
        shares = (f"{each.boxes[size] / boxes:.0%}" for size in ("small", "medium", "large"))
        table.add_row(
            source, split, *_middle_and_most(each.regions), *_middle_and_most(each.sides), *shares
        )
    return table


def _middle_and_most(counts: Counter[int]) -> tuple[str, str]:
    spread = Spread.of(counts)
    return (f"{spread.median:,}", f"{spread.most:,}") if spread else ("", "")


def _tasks(figures: Figures) -> Table:
    table = _table("source", "task", "turns", "share", "fewest", "median", "mean", "most")
    lengths = figures.lengths()
    for share in task_shares(figures.manifest):
        spread = Spread.of(lengths.get((share.source, share.task), Counter()))
        words = spread and (
            f"{spread.least:,}", f"{spread.median:,}", f"{spread.mean:,.1f}", f"{spread.most:,}"
        )  # fmt: skip
        turns = f"{share.turns:,}", f"{share.turn_share:.1%}"
        table.add_row(share.source, share.task, *turns, *(words or ()))
    return table


def _categories(figures: Figures) -> Table:
    table = _table("source", "number", "most frequent")
    for source, counts in figures.categories().items():
        common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
        shown = ", ".join(f"{abridged(name)} {number:,}" for name, number in common)
        table.add_row(source, f"{len(counts):,}", shown)
    return table


def _provenance(figures: Figures) -> Table:
    table = _table("what", "records", "name")
    rows = [(f"{number:,}", role, name) for (role, name), number in figures.makers().items()]
    rows += [(f"{number:,}", "licence", name) for name, number in figures.licences().most_common()]
    for number, role, name in rows:
        table.add_row(role, number, name)
    return table
