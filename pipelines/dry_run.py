"""Dry run: parse every input and write nothing."""

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines import files
from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan
from pipelines.summary import size_text
from schemas.errors import InputFileError
from schemas.rejection import Kind, Reason, Rejection
from schemas.source import REGION_BYTES, SourceImage, SplitFacts, SplitInput


class Forecast:
    """What parsing one split shows."""

    def __init__(self, split: SplitInput) -> None:
        self.split = split
        self.images = self.regions = self.picture_bytes = self.shards = 0
        self.rejected: Counter[tuple[Kind, Reason]] = Counter()
        self.error = ""
        try:
            for entry in dataset(split.owner or split.source).parse(split, files.FileStore()):
                if isinstance(entry, SourceImage):
                    self.images += 1
                    self.regions += len(entry.regions)
                    self.picture_bytes += entry.image.size_bytes
                elif isinstance(entry, SplitFacts):
                    self.shards = entry.shards
                elif isinstance(entry, Rejection):
                    self.rejected[entry.kind, entry.reason] += 1
        except InputFileError as error:
            self.error = str(error)


def print_dry_run(plan: Plan) -> None:
    """Print what a build of the plan would read and write, at most."""
    console = Console(highlight=False)
    forecasts = [Forecast(split) for split in plan.splits]
    table = Table(
        "source", "split", "annotations", "images", "regions", "picture bytes", "missing images"
    )
    for found in forecasts:
        sizes = sum(files.size_of(path) for path in found.split.files.values())
        missing = found.rejected[Kind.IMAGE, Reason.IMAGE_MISSING]
        table.add_row(
            found.split.source,
            found.split.split,
            size_text(sizes),
            *(f"{number:,}" for number in (found.images, found.regions)),
            size_text(found.picture_bytes),
            f"{missing:,}",
        )
    console.print(table)
    for found in forecasts:
        if found.error:
            console.print(f"[red]unusable[/red] {escape(found.error)}")
        for (kind, reason), number in sorted(found.rejected.items()):
            console.print(f"{found.split.source}/{found.split.split}: {kind} {reason}: {number:,}")
    _print_output(console, plan, forecasts)


def _print_output(console: Console, plan: Plan, forecasts: list[Forecast]) -> None:
    embed = plan.recipe.images == "embed"
    weight = sum(found.picture_bytes * embed + REGION_BYTES * found.regions for found in forecasts)
    free = files.free_bytes(plan.output)
    room = f"; {size_text(free)} are free there" if free is not None else ""
    shards = sum(found.shards for found in forecasts)
    console.print(
        f"would write about {size_text(weight)} in {shards} shards "
        f"to {escape(plan.output)}{room}; screening and sampling can only make it less"
    )
