"""The counting of items in stages: items that come in are counted apart from items that go out.

A stage counts items and rejects them in its `StageLedger`. `transforms.stage` hands the rejections
and the counts over; the counts of all stages add up to the ledger of the build.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.item import Item, kinds
from schemas.ledger import Stage, Tally, rejected_as, repaired_as
from schemas.rejection import Kind, Rejected, RejectedCaption, Rejection, Repair
from schemas.sample import ImageInfo
from schemas.source import SourceImage, SplitInput

Origin = ImageInfo | SplitInput | Rejection  # anything with a source and a split


class StageLedger:
    """The counts and rejections of one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tally: Tally = Counter()
        self.rejections: list[Rejection] = []

    def count(self, origin: Origin, kind: Kind, outcome: str, number: int = 1) -> None:
        """Add a number to the count of one kind of item and outcome."""
        if number:
            self.tally[origin.source, origin.split, self.stage, kind, outcome] += number

    def read(self, origin: Origin, kind: Kind, number: int = 1) -> None:
        """Count items that came in."""
        self.count(origin, kind, "read", number)

    def kept(self, origin: Origin, kind: Kind, number: int = 1) -> None:
        """Count items that the next stage reads."""
        self.count(origin, kind, "kept", number)

    def sampled_out(self, origin: Origin, kind: Kind, number: int = 1) -> None:
        """Count items that the recipe's caps leave out."""
        self.count(origin, kind, "sampled_out", number)

    def with_image(self, origin: Origin, kind: Kind, number: int = 1) -> None:
        """Count items that are left out because the stage rejects their image."""
        self.count(origin, kind, "with_image", number)

    def items_read(self, origin: Origin, items: Sequence[Item]) -> None:
        """Count items of several kinds that came in."""
        for kind, number in kinds(items).items():
            self.read(origin, kind, number)

    def items_kept(self, origin: Origin, items: Sequence[Item]) -> None:
        """Count items of several kinds that the next stage reads."""
        for kind, number in kinds(items).items():
            self.kept(origin, kind, number)

    def repaired(self, origin: Origin, kind: Kind, repair: Repair, number: int = 1) -> None:
        """Count a repair of kept items."""
        self.count(origin, kind, repaired_as(repair), number)

    def enter(self, rejection: Rejection) -> None:
        """Record a rejection that is already complete."""
        self.count(rejection, rejection.kind, rejected_as(rejection.reason))
        self.rejections.append(rejection)

    def reject(
        self,
        origin: Origin,
        kind: Kind,
        item_id: str,
        cause: Rejected,
        caption: RejectedCaption | None = None,
    ) -> None:
        """Record the rejection of an item; `caption` is given for captions of regions."""
        self.enter(
            Rejection(
                source=origin.source,
                split=origin.split,
                stage=self.stage,
                kind=kind,
                id=item_id,
                reason=cause.reason,
                detail=cause.detail,
                caption=caption,
            )
        )

    def read_source_image(self, source_image: SourceImage) -> None:
        """Count an image, its regions and its items, which come in."""
        image = source_image.image
        self.read(image, Kind.IMAGE)
        self.read(image, Kind.ANNOTATION, len(source_image.regions))
        self.items_read(image, source_image.items)

    def reject_source_image(self, source_image: SourceImage, cause: Rejected) -> None:
        """Record the rejection of an image; its regions and items are left out with it."""
        image = source_image.image
        self.reject(image, Kind.IMAGE, image.image_id, cause)
        self.with_image(image, Kind.ANNOTATION, len(source_image.regions))
        for item in source_image.items:
            self.with_image(image, item.kind)


class Ledgers(dict[Stage, StageLedger]):
    """The ledgers of several stages, each opened when it is first used."""

    def __missing__(self, stage: Stage) -> StageLedger:
        """Open the ledger of a stage."""
        ledger = self[stage] = StageLedger(stage)
        return ledger

    def include(self, tally: Tally, rejections: Iterable[Rejection]) -> None:
        """Add counts and rejections of any stages."""
        for key, number in tally.items():
            self[Stage(key[2])].tally[key] += number
        for rejection in rejections:
            self[Stage(rejection.stage)].rejections.append(rejection)

    def tally(self) -> Tally:
        """Return the counts of all stages."""
        total: Tally = Counter()
        for ledger in self.values():
            total.update(ledger.tally)
        return total

    def take_rejections(self) -> list[Rejection]:
        """Return the rejections of all stages since the last call."""
        taken = []
        for ledger in self.values():
            taken += ledger.rejections
            ledger.rejections = []
        return taken
