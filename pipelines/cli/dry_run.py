"""Dry run: parse every input and write nothing."""

from collections import Counter

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from pipelines.attach import describe_image
from pipelines.captions.lookup import SplitCaptions
from pipelines.plan import Plan
from pipelines.read import parse
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.recipes.resolve import ResolvedRecipe
from pipelines.shards.pages import row_bytes
from pipelines.storage import files
from schemas.errors import BuildError, InputFileError
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejection
from schemas.source import SourceImage, SplitFacts, SplitInput
from transforms.compose import compose_image
from transforms.ledger import StageLedger
from transforms.screen import screen_image

COMPOSED = 500  # images of a split whose records are written to see how large they become


class Forecast:
    """What parsing one split shows, and composing some of its images."""

    def __init__(self, split: SplitInput, resolved: ResolvedRecipe) -> None:
        self.split = split
        self._tasks, self._how = resolved.tasks[split.source], resolved.instruction
        self._embed = resolved.recipe.images == "embed"
        self._composed_bytes = 0
        self.images = self.regions = self.picture_bytes = self.shards = 0
        self.rejected: Counter[tuple[Kind, Reason]] = Counter()
        self.error = ""
        try:
            self._captions = SplitCaptions(split) if RECAPD_ROLE in split.files else None
            for entry in parse(split):
                if isinstance(entry, SourceImage):
                    if self.images < COMPOSED:
                        self._composed_bytes += self._bytes(entry)
                    self.images += 1
                    self.regions += len(entry.regions)
                    self.picture_bytes += entry.image.size_bytes
                elif isinstance(entry, SplitFacts):
                    self.shards = entry.shards
                elif isinstance(entry, Rejection):
                    self.rejected[entry.kind, entry.reason] += 1
        except InputFileError as error:
            self.error = str(error)

    @property
    def bytes(self) -> int:
        """About how much will be written: each record of an image holds the picture anew."""
        return self._composed_bytes * self.images // max(1, min(self.images, COMPOSED))

    def _bytes(self, source_image: SourceImage) -> int:
        ledger = StageLedger(Stage.COMPOSE)
        image = screen_image(source_image, ledger)
        if self._captions:
            image = describe_image(image, self._captions.of(source_image.image.image_id), ledger)
        draft = compose_image(image, self._tasks, self._how, ledger)
        picture = source_image.image.size_bytes if self._embed else 0
        return sum(picture + row_bytes(talk) for talk in draft.conversations) if draft else 0


def print_dry_run(plan: Plan) -> None:
    """Print what a build of the plan would read and write, about.

    Raises:
        BuildError: it could not be built: an input cannot be used, or no picture is there.
    """
    console = Console(highlight=False)
    forecasts = [Forecast(split, plan.resolved) for split in plan.splits]
    table = Table()
    for name in (
        "source",
        "split",
        "annotations",
        "images",
        "regions",
        "picture bytes",
        "missing images",
    ):
        table.add_column(name, no_wrap=name in {"source", "split"})
    for found in forecasts:
        sizes = sum(files.size_of(path) for path in found.split.files.values())
        missing = found.rejected[Kind.IMAGE, Reason.IMAGE_MISSING]
        table.add_row(
            found.split.source,
            found.split.split,
            decimal(sizes),
            *(f"{number:,}" for number in (found.images, found.regions)),
            decimal(found.picture_bytes),
            f"{missing:,}",
        )
    console.print(table)
    for found in forecasts:
        for (kind, reason), number in sorted(found.rejected.items()):
            console.print(f"{found.split.source}/{found.split.split}: {kind} {reason}: {number:,}")
    if errors := dict.fromkeys(found.error for found in forecasts if found.error):
        raise BuildError("\n".join(errors))
    if not any(found.images for found in forecasts):
        raise BuildError("nothing would be kept: no image can be read")
    _print_output(console, plan, forecasts)


def _print_output(console: Console, plan: Plan, forecasts: list[Forecast]) -> None:
    weight = sum(found.bytes for found in forecasts)
    free = files.free_bytes(plan.output)
    room = f"; {decimal(free)} are free there" if free is not None else ""
    shards = sum(found.shards for found in forecasts)
    console.print(
        f"would write about {decimal(weight)} in {shards} shards "
        f"to {escape(plan.output)}{room}; caps and unusable pictures can only make it less"
    )
