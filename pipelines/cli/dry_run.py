"""The dry run of a build, which parses all inputs, estimates the output and writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from rich.filesize import decimal
from rich.table import Table

from pipelines.entries import parse
from pipelines.images import ComposeImage, PrepareImage
from pipelines.output.losses import loss_in_words
from pipelines.plan import Plan
from pipelines.preflight.room import temporary_bytes
from pipelines.runner.launch import LaunchOptions
from pipelines.runner.remote import LOCAL_RUNNERS
from pipelines.storage import files
from schemas.console import Console, result, say, write_json
from schemas.counted import counted
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

_COMMONEST = 3  # reasons
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
        self.lost: Counter[tuple[Kind, Reason]] = Counter()  # those, and others in composing
        self.examples: dict[tuple[Kind, Reason], Rejection] = {}
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
                self._note(entry)
            case Count(outcome="with_image"):
                self.with_image[entry.kind] += entry.number

    @property
    def bytes(self) -> int:
        """The approximate size of the output; each record of an image contains the picture."""
        return self._composed_bytes * self.images // max(1, min(self.images, COMPOSED))

    @property
    def annotation_bytes(self) -> int:
        """The size of the split's annotation files."""
        return sum(files.size_of(path) for path in self.split.files.values())

    @property
    def missing_images(self) -> int:
        """The number of images whose pictures are not there."""
        return self.rejected[Kind.IMAGE, Reason.IMAGE_MISSING]

    @property
    def is_empty(self) -> bool:
        """Whether it is known that nothing of the split would be kept."""
        return not self._composed_bytes and self.images <= COMPOSED

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as a document."""
        rejected: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (kind, reason), number in sorted((+self.rejected).items()):
            rejected[kind][reason] = number
        return {
            "source": self.split.source,
            "split": self.split.split,
            "annotation_bytes": self.annotation_bytes,
            "images": self.images,
            "regions": self.regions,
            "picture_bytes": self.picture_bytes,
            "missing_images": self.missing_images,
            "bytes": self.bytes,
            "shards": self.shards,
            "rejected": rejected,
            "left_out_with_image": dict(sorted((+self.with_image).items())),
        }

    def _note(self, rejection: Rejection) -> None:
        cause = rejection.kind, rejection.reason
        self.lost[cause] += 1
        self.examples.setdefault(cause, rejection)

    def _bytes(self, source_image: SourceImage) -> int:
        ledgers = Ledgers()
        screened = self._prepare(source_image, ledgers)
        draft = self._compose(screened, ledgers) if screened else None
        for rejection in ledgers.take_rejections():
            self._note(rejection)
        picture = source_image.image.size_bytes if self._embed else 0
        return sum(picture + _row_bytes(talk) for talk in draft.conversations) if draft else 0


def _row_bytes(talk: Conversation) -> int:
    """Return the approximate bytes of a row without its picture."""
    text = sum(len(message.content) for message in talk.messages)
    return RECORD_BYTES + REGION_BYTES * len(talk.regions) + text


def print_dry_run(plan: Plan, options: LaunchOptions, *, as_json: bool = False) -> None:
    """Print the inputs and the approximate output of a build of the plan.

    Args:
        plan: the plan.
        options: where the build is to run.
        as_json: whether to print a document for programs, see `_document`.

    Raises:
        BuildError: a build would fail: an input cannot be used, or all pictures are missing.
    """
    estimates = [SplitEstimate(split, plan) for split in plan.splits]
    if not as_json:
        _print_inputs(estimates)
    if errors := dict.fromkeys(estimate.error for estimate in estimates if estimate.error):
        raise BuildError("\n".join(errors))
    if all(estimate.is_empty for estimate in estimates):
        raise BuildError(f"nothing would be kept. Mostly: {_mostly(estimates)}")
    if as_json:
        write_json(_document(plan, options, estimates))
    else:
        _print_output(plan, options, estimates)


def _mostly(estimates: Sequence[SplitEstimate]) -> str:
    """Return the commonest reasons for which nothing would be kept."""
    lost: Counter[tuple[Kind, Reason]] = Counter()
    examples: dict[tuple[Kind, Reason], Rejection] = {}
    for estimate in estimates:
        lost += estimate.lost
        examples = estimate.examples | examples
    commonest = [
        loss_in_words(*cause, number, examples[cause])
        for cause, number in lost.most_common(_COMMONEST)
    ]
    return "; ".join(commonest) or "there is nothing to read"


def _print_inputs(estimates: Sequence[SplitEstimate]) -> None:
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
        table.add_row(
            estimate.split.source,
            estimate.split.split,
            decimal(estimate.annotation_bytes),
            *(f"{number:,}" for number in (estimate.images, estimate.regions)),
            decimal(estimate.picture_bytes),
            f"{estimate.missing_images:,}",
        )
    Console().print(table)
    for estimate in estimates:
        key = f"{estimate.split.source}/{estimate.split.split}"
        for (kind, reason), number in sorted(estimate.rejected.items()):
            example = estimate.examples[kind, reason]
            say(f"{key}: {kind} {reason}: {number:,}, e.g. {example.id}: {example.detail}")
        for kind, number in sorted((+estimate.with_image).items()):
            say(f"{key}: {kind}, left out with its image: {number:,}")


def _document(
    plan: Plan, options: LaunchOptions, estimates: Sequence[SplitEstimate]
) -> dict[str, Any]:
    """Return the estimate as a document, in which what is rejected stands by kind and reason.

    {"command": "build", "dry_run": true, "output": "/shards", "shards": 2, "bytes": 81234,
     "temporary_bytes": 2283, "free_bytes": 92345678,
     "splits": [{"source": "coco", "split": "train", "annotation_bytes": 4567, "images": 38,
                 "regions": 90, "picture_bytes": 78901, "missing_images": 1, "bytes": 81234,
                 "shards": 2, "rejected": {"image": {"image_missing": 1}},
                 "left_out_with_image": {"annotation": 2}}],
     "warnings": []}
    """
    return {
        "command": "build",
        "dry_run": True,
        "output": plan.output,
        "shards": sum(estimate.shards for estimate in estimates),
        "bytes": sum(estimate.bytes for estimate in estimates),
        "temporary_bytes": _temporary_bytes(plan, options),
        "free_bytes": files.free_bytes(plan.output),
        "splits": [estimate.as_json() for estimate in estimates],
        "warnings": [*plan.left_out, *plan.remarks, *plan.doubts],
    }


def _temporary_bytes(plan: Plan, options: LaunchOptions) -> int:
    """Return the bytes that wait beside the output while a build runs."""
    return temporary_bytes(plan.output, plan.estimate, spools=options.runner in LOCAL_RUNNERS)


def _print_output(plan: Plan, options: LaunchOptions, estimates: Sequence[SplitEstimate]) -> None:
    weight = sum(estimate.bytes for estimate in estimates)
    free = files.free_bytes(plan.output)
    room = f"; {decimal(free)} are free there" if free is not None else ""
    shards = sum(estimate.shards for estimate in estimates)
    temporary = _temporary_bytes(plan, options)
    beside = f", and {decimal(temporary)} beside them while it runs" if temporary else ""
    result(
        f"would write about {decimal(weight)} in {counted(shards, 'shard')} "
        f"to {plan.output}{beside}{room}; caps and unusable pictures can only make it less"
    )
