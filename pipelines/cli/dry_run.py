"""The dry run of a build, which parses all inputs, estimates the output and writes nothing."""

from collections import Counter

from rich.filesize import decimal
from rich.table import Table

from pipelines.images import ComposeImage, PrepareImage
from pipelines.plan import Plan
from pipelines.read import parse
from pipelines.storage import files
from schemas.console import Console, result, say
from schemas.errors import BuildError, InputFileError
from schemas.rejection import Kind, Reason, Rejection
from schemas.sample import Conversation
from schemas.source import (
    RECORD_BYTES,
    REGION_BYTES,
    Count,
    Entry,
    SourceImage,
    SplitFacts,
    SplitInput,
)
from transforms.ledger import Ledgers

COMPOSED = 500  # number of images of a split whose records are composed to measure their size


class SplitEstimate:
    """The estimated output of a split, from all its annotations and some composed images."""

    def __init__(self, split: SplitInput, plan: Plan) -> None:
        self.split = split
        self._prepare, self._compose = PrepareImage.of(plan), ComposeImage.of(plan)
        self._embed = plan.recipe.images == "embed"
        self._composed_bytes = 0
        self.images = self.regions = self.picture_bytes = self.shards = 0
        self.rejected: Counter[tuple[Kind, Reason]] = Counter()
        self.with_image: Counter[Kind] = Counter()  # items of rejected images
        self.error = ""
        try:
            for entry in parse(split):
                self._take(entry)
        except InputFileError as error:
            self.error = str(error)

    def _take(self, entry: Entry) -> None:
        match entry:
            case SourceImage():
                if self.images < COMPOSED:
                    self._composed_bytes += self._bytes(entry)
                self.images += 1
                self.regions += len(entry.regions)
                self.picture_bytes += entry.image.size_bytes
            case SplitFacts():
                self.shards = entry.shards
            case Rejection():
                self.rejected[entry.kind, entry.reason] += 1
            case Count(outcome="with_image"):
                self.with_image[entry.kind] += entry.number

    @property
    def bytes(self) -> int:
        """The approximate size of the output; each record of an image contains the picture."""
        return self._composed_bytes * self.images // max(1, min(self.images, COMPOSED))

    def _bytes(self, source_image: SourceImage) -> int:
        ledgers = Ledgers()
        screened = self._prepare(source_image, ledgers)
        draft = self._compose(screened, ledgers) if screened else None
        picture = source_image.image.size_bytes if self._embed else 0
        return sum(picture + _row_bytes(talk) for talk in draft.conversations) if draft else 0


def _row_bytes(talk: Conversation) -> int:
    """Return the approximate bytes of a row without its picture."""
    text = sum(len(message.content) for message in talk.messages)
    return RECORD_BYTES + REGION_BYTES * len(talk.regions) + text


def print_dry_run(plan: Plan) -> None:
    """Print the inputs and the approximate output of a build of the plan.

    Raises:
        BuildError: a build would fail: an input cannot be used, or all pictures are missing.
    """
    estimates = [SplitEstimate(split, plan) for split in plan.splits]
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
    for estimate in estimates:
        sizes = sum(files.size_of(path) for path in estimate.split.files.values())
        missing = estimate.rejected[Kind.IMAGE, Reason.IMAGE_MISSING]
        table.add_row(
            estimate.split.source,
            estimate.split.split,
            decimal(sizes),
            *(f"{number:,}" for number in (estimate.images, estimate.regions)),
            decimal(estimate.picture_bytes),
            f"{missing:,}",
        )
    Console().print(table)
    for estimate in estimates:
        key = f"{estimate.split.source}/{estimate.split.split}"
        for (kind, reason), number in sorted(estimate.rejected.items()):
            say(f"{key}: {kind} {reason}: {number:,}")
        for kind, number in sorted((+estimate.with_image).items()):
            say(f"{key}: {kind}, left out with its image: {number:,}")
    if errors := dict.fromkeys(estimate.error for estimate in estimates if estimate.error):
        raise BuildError("\n".join(errors))
    if not any(estimate.images for estimate in estimates):
        raise BuildError("nothing would be kept: no image can be read")
    _print_output(plan, estimates)


def _print_output(plan: Plan, estimates: list[SplitEstimate]) -> None:
    weight = sum(estimate.bytes for estimate in estimates)
    free = files.free_bytes(plan.output)
    room = f"; {decimal(free)} are free there" if free is not None else ""
    shards = sum(estimate.shards for estimate in estimates)
    result(
        f"would write about {decimal(weight)} in {shards} shards "
        f"to {plan.output}{room}; caps and unusable pictures can only make it less"
    )
