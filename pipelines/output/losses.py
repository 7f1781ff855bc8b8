"""What a build lost to faults, split by split: the commonest reasons, each with an example.

coco/train: 5 of 6 pictures (83%) are missing, e.g. 7: no file 'a/7.jpg' in the folder
coco/train: little was kept, 2 of 12 annotations; mostly annotation crowd 10, e.g. 4: ...
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.output.reader import read_rejections
from pipelines.storage import files
from schemas.counted import counted
from schemas.layout import REJECTED_FOLDER
from schemas.ledger import Account, Ledger, Stage
from schemas.rejection import Kind, Reason, Rejection

MAX_MISSING = 0.5  # the share of a split's pictures that may be missing, unless that is allowed
_NOTED_MISSING = 0.05  # a larger share is noted at the end
_LITTLE = 0.5  # a smaller share of a kind that is kept is little
_COMMONEST = 3
# Reasons for which a sound file loses items by the plan: by the guard, the tasks or the filter.
_PLANNED = {
    *(Reason.EVALUATION_IMAGE, Reason.NOT_USED, Reason.CAPTION_TURN_ONLY, Reason.DUPLICATE),
    *(Reason.NO_REGIONS, Reason.REGION_SMALL, Reason.REGION_REJECTED),
    *(reason for reason in Reason if reason.startswith("caption_")),
}
_REMEDIES = {
    Reason.IMAGE_MISSING: "give the folder that holds the pictures",
    Reason.IMAGE_SIZE_MISMATCH: "give the pictures that were annotated, as large as they were",
    Reason.IMAGE_BAD_SIZE: "state each picture's width and height in pixels",
    Reason.UNKNOWN_CATEGORY: "declare each category once, and refer to it by its id",
    Reason.UNKNOWN_IMAGE: "refer to images by their ids",
    Reason.DUPLICATE_ID: "give each item an id of its own",
    Reason.CROWD: "single objects have `iscrowd` 0; --coco-crowds objects takes all as such",
    Reason.BOX_ZERO_AREA: "boxes are x, y, width and height, in pixels",
    Reason.BOX_OUTSIDE: "boxes are x, y, width and height, in pixels",
    Reason.BOX_INVERTED: "boxes are x, y, width and height, in pixels",
    Reason.NO_REGIONS: "a picture needs an annotation that can be used",
    Reason.EVALUATION_IMAGE: "evaluations are done on it; --no-guard takes it nevertheless",
}
_Cause = tuple[str, str, Kind, Reason]  # source, split


@dataclass(frozen=True, slots=True)
class Losses:
    """What the ledger of an output says of items that were lost."""

    output: str
    ledger: Ledger

    def lines(self) -> Iterator[str]:
        """Yield a line for each split that lacks pictures, or of which little was kept."""
        for source, split in self._splits():
            if self._missing_share(source, split) > _NOTED_MISSING:
                yield self._missing(source, split)
            for kind, (kept, read) in self._kept(source, split).items():
                if kept < _LITTLE * read:
                    yield (
                        f"{source}/{split}: little was kept, {kept:,} of {read:,} {kind}s; mostly "
                        f"{self.commonest(source, split)}"
                    )
                    break

    def missing(self) -> Iterator[str]:
        """Yield a line for each split that lacks more pictures than it may."""
        for source, split in self._splits():
            if self._missing_share(source, split) > MAX_MISSING:
                yield self._missing(source, split)

    def nothing(self) -> str:
        """Return the error about an output without a record."""
        listed = f"{files.join(self.output, REJECTED_FOLDER)} says why, item by item"
        return (
            f"nothing was kept; {listed}. Mostly: {self.commonest() or 'there was nothing to read'}"
        )

    def commonest(self, source: str | None = None, split: str | None = None) -> str:
        """Return the commonest reasons of a split, or of all, each with an example and a remedy."""
        causes = self._causes(source, split)
        faults = {cause: n for cause, n in causes.items() if cause[3] not in _PLANNED} or causes
        top = Counter(faults).most_common(_COMMONEST)
        examples = self._examples([cause for cause, _ in top])
        parts = []
        for cause, number in top:
            *_, kind, reason = cause
            parts.append(loss_in_words(kind, reason, number, examples.get(cause)))
        return "; ".join(parts)

    def _splits(self) -> list[tuple[str, str]]:
        return [
            (source, split) for source, several in self.ledger.sources.items() for split in several
        ]

    def _missing_share(self, source: str, split: str) -> float:
        account = self.ledger.account(source, split, Stage.READ, Kind.IMAGE)
        return account.rejected.get(Reason.IMAGE_MISSING, 0) / max(1, account.read)

    def _missing(self, source: str, split: str) -> str:
        account = self.ledger.account(source, split, Stage.READ, Kind.IMAGE)
        cause = source, split, Kind.IMAGE, Reason.IMAGE_MISSING
        example = self._examples([cause]).get(cause)
        shown = f", e.g. {example.id}: {example.detail}" if example else ""
        number = account.rejected[Reason.IMAGE_MISSING]
        share = f"{self._missing_share(source, split):.0%}"
        of = f"{number:,} of {counted(account.read, 'picture')} ({share})"
        return f"{source}/{split}: missing: {of}{shown}"

    def _kept(self, source: str, split: str) -> Mapping[Kind, tuple[int, int]]:
        """Return what faults left of each kind, and what was read."""
        stages = self.ledger.sources[source][split]
        kept = {}
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.SENTENCE, Kind.QUESTION, Kind.DIALOGUE):
            accounts = [kinds[kind] for kinds in stages.values() if kind in kinds]
            if accounts and (read := accounts[0].read):
                lost = sum(_faults(account) for account in accounts)
                lost += sum(
                    kinds[kind].with_image
                    for kinds in stages.values()
                    if kind in kinds and _faults(kinds.get(Kind.IMAGE, Account()))
                )
                kept[kind] = max(0, read - lost), read
        return kept

    def _causes(self, source: str | None, split: str | None) -> Counter[_Cause]:
        causes: Counter[_Cause] = Counter()
        for (of, part, _, kind), account in self.ledger.accounts():
            if source in (None, of) and split in (None, part):
                for reason, number in account.rejected.items():
                    causes[of, part, kind, reason] += number
        return causes

    def _examples(self, causes: Sequence[_Cause]) -> dict[_Cause, Rejection]:
        """Return the first listed item of each cause."""
        examples: dict[_Cause, Rejection] = {}
        for source in dict.fromkeys(cause[0] for cause in causes):
            wanted = {cause for cause in causes if cause[0] == source}
            for item in read_rejections(self.output, source):
                cause = item.source, item.split, item.kind, item.reason
                if cause in wanted:
                    examples[cause] = item
                    wanted.remove(cause)
                if not wanted:
                    break
        return examples


def loss_in_words(kind: Kind, reason: Reason, number: int, example: Rejection | None) -> str:
    """Return a reason for which items are lost, with one of them and what to do about it."""
    shown = f", e.g. {example.id}: {example.detail}" if example else ""
    remedy = f" ({_REMEDIES[reason]})" if reason in _REMEDIES else ""
    return f"{kind} {reason} {number:,}{shown}{remedy}"


def _faults(account: Account) -> int:
    return sum(number for reason, number in account.rejected.items() if reason not in _PLANNED)
