"""The display of records in a terminal.

All text of a record passes `visible`, so that no escape sequence reaches the terminal, and goes
into `Text`, in which rich looks for no markup.
"""

from collections.abc import Iterable

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.preview.record import (
    SCORES,
    Record,
    ShownRegion,
    answers,
    pieces,
    shown_regions,
)
from schemas.console import Console
from schemas.sample import IMAGE_TOKEN, region_token
from schemas.visible import one_line, visible

_ROLES = {"user": "bold cyan", "assistant": "bold green", "system": "bold magenta"}


def print_samples(records: Iterable[Record], console: Console) -> None:
    """Print records one below the other, each with its facts, conversation and regions."""
    for number, record in enumerate(records, start=1):
        regions = shown_regions(record)
        console.rule(Text(f" {number} · {one_line(record['id'])} ", "bold"), align="left")
        console.print(_facts(record))
        console.print(Padding(_conversation(record, regions), (1, 0), expand=False))
        for name, listed in answers(record):
            console.print(Text(f"scored: {name}", "dim"))
            console.print(Padding(_answers(listed), (0, 0, 1, 0), expand=False))
        if regions:
            console.print(Padding(_table(regions), (0, 0, 1, 0), expand=False))
        if any(map(_texts, regions)):
            console.print(Padding(_described(regions), (0, 0, 1, 0), expand=False))


def _facts(record: Record) -> Text:
    size = f"{record['width']} × {record['height']}" if record["image"] else "text only"
    path = record["image"] and record["image"]["path"]
    facts = [record["task"], size, record["licence"], path, record["image_hash"]]
    return Text(" · ".join(one_line(fact) for fact in facts if fact), "dim")


def _conversation(record: Record, regions: list[ShownRegion]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for message in record["messages"]:
        role = message["role"]
        grid.add_row(
            Text(one_line(role), _ROLES.get(role, "bold")), _content(message["content"], regions)
        )
    return grid


def _content(content: str, regions: list[ShownRegion]) -> Text:
    text = Text()
    for piece in pieces(content, len(regions)):
        if isinstance(piece, int):
            text.append(region_token(piece), f"bold black on {regions[piece - 1].colour}")
        else:
            text.append(visible(piece), "reverse" if piece == IMAGE_TOKEN else "")
    return text


def _answers(listed: list[tuple[str, bool]]) -> Table:
    """Return the answers of an evaluation's entry, with the right answers marked."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for text, right in listed:
        mark = Text("right" if right else "wrong", "bold green" if right else "dim")
        grid.add_row(mark, Text(one_line(text), "" if right else "dim"))
    return grid


def _table(regions: list[ShownRegion]) -> Table:
    """Return the regions as a table, without empty columns."""
    rows = [_cells(region) for region in regions]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for header in [header for header in rows[0] if any(row[header] for row in rows)]:
        number = header in ("region", "x0", "y0", "x1", "y1", "mask", "area", *SCORES)
        table.add_column(header, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    return table


def _cells(region: ShownRegion) -> dict[str, Text]:
    corners = zip(("x0", "y0", "x1", "y1"), region.box, strict=True)
    return {
        "region": _chip(region),
        "category": Text(one_line(region.name)),
        **{name: Text(f"{side:.1f}") for name, side in corners},
        "mask": Text(region.mask_share),
        "area": Text(region.area),
        **{name: Text(region.scores.get(name, "")) for name in SCORES},
    }


def _described(regions: list[ShownRegion]) -> Table:
    """Return the attributes and captions of regions, a row for each text."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(max_width=24)
    grid.add_column(overflow="fold")
    for region in regions:
        for label, text in _texts(region):
            grid.add_row(_chip(region), Text(label, "dim"), Text(one_line(text)))
    return grid


def _texts(region: ShownRegion) -> list[tuple[str, str]]:
    """Return each text about a region after its label."""
    texts = [("attributes", region.attributes), ("caption", region.caption), *region.further]
    return [(one_line(label), text) for label, text in texts if text]


def _chip(region: ShownRegion) -> Text:
    return Text(f" {region.number} ", f"bold black on {region.colour}")
