"""Double-entry book-keeping for stages: what comes in is counted apart from what goes out.

Each stage writes into a `StageLedger`; the `LedgerDoFn` around it turns the ledger into two more
outputs beside the kept items: rejections, and tallies that add up to the ledger. Both follow the
bundle, so a bundle that is tried again counts once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from schemas.item import Item, kinds
from schemas.ledger import Stage, Tally, rejected_as, repaired_as
from schemas.rejection import Kind, Rejected, Rejection, Repair
from schemas.sample import ImageInfo
from schemas.source import SplitInput
from transforms.progress import Progress

KEPT, REJECTED, TALLY = "kept", "rejected", "tally"

Place = ImageInfo | SplitInput | Rejection  # anything that knows its source and split


class StageLedger:
    """One stage's counts and rejections."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tally: Tally = Counter()
        self.rejections: list[Rejection] = []

    def count(self, place: Place, kind: Kind, outcome: str, number: int = 1) -> None:
        """Add to one account."""
        if number:
            self.tally[place.source, place.split, self.stage, kind, outcome] += number

    def read(self, place: Place, kind: Kind, number: int = 1) -> None:
        """Count items that came in."""
        self.count(place, kind, "read", number)

    def kept(self, place: Place, kind: Kind, number: int = 1) -> None:
        """Count items that go on."""
        self.count(place, kind, "kept", number)

    def sampled_out(self, place: Place, kind: Kind, number: int = 1) -> None:
        """Count items that the recipe's caps leave out."""
        self.count(place, kind, "sampled_out", number)

    def items_read(self, place: Place, items: Sequence[Item]) -> None:
        """Count items of several kinds that came in."""
        for kind, number in kinds(items).items():
            self.read(place, kind, number)

    def items_kept(self, place: Place, items: Sequence[Item]) -> None:
        """Count items of several kinds that go on."""
        for kind, number in kinds(items).items():
            self.kept(place, kind, number)

    def repaired(self, place: Place, kind: Kind, repair: Repair) -> None:
        """Count a kept item that was set right."""
        self.count(place, kind, repaired_as(repair))

    def enter(self, rejection: Rejection) -> None:
        """Record a rejection that is already made out."""
        self.count(rejection, rejection.kind, rejected_as(rejection.reason))
        self.rejections.append(rejection)

    def reject(self, place: Place, kind: Kind, item_id: str, cause: Rejected) -> None:
        """Record the rejection of an item."""
        self.enter(
            Rejection(
                source=place.source,
                split=place.split,
                stage=self.stage,
                kind=kind,
                id=item_id,
                reason=cause.reason,
                detail=cause.detail,
            )
        )


class LedgerDoFn(beam.DoFn):
    """A DoFn with a ledger; subclasses end `process` with `yield from self.settle()`."""

    stage: ClassVar[Stage]

    def start_bundle(self) -> None:
        """Open an empty ledger."""
        self.ledger = StageLedger(self.stage)
        self.progress = Progress(self.stage)

    def settle(self) -> Iterator[TaggedOutput[str, Any]]:
        """Yield the rejections written since the last call."""
        rejections, self.ledger.rejections = self.ledger.rejections, []
        for rejection in rejections:
            yield TaggedOutput(REJECTED, rejection)

    def finish_bundle(self) -> Iterator[TaggedOutput[str, Any]]:
        """Yield the bundle's counts."""
        self.progress.flush()
        for key, number in self.ledger.tally.items():
            plain = tuple(str(word) for word in key), number
            yield TaggedOutput(TALLY, in_bundle(plain))


def in_bundle(value: object) -> WindowedValue:
    """Return a value as it must be yielded when a bundle ends."""
    return WindowedValue(value, MIN_TIMESTAMP, (GlobalWindow(),))


def booked(dofn: LedgerDoFn, *tags: str, **side_inputs: Any) -> Any:
    """Return the ParDo of a booked DoFn, with its outputs named."""
    return beam.ParDo(dofn, **side_inputs).with_outputs(REJECTED, TALLY, *tags, main=KEPT)


def passed_on(pcoll: PCollection[Any]) -> dict[str, PCollection[Any]]:
    """Return the outputs of a stage that has nothing to do: all is kept, nothing is booked."""
    nothing = {tag: pcoll.pipeline | f"No{tag}" >> beam.Create([]) for tag in (REJECTED, TALLY)}
    return {KEPT: pcoll, **nothing}
