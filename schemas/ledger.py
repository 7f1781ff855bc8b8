"""The ledger: every item that was read is kept, rejected, sampled out, or gone with its image.

Stages count by themselves into a `Tally`; tallies add up in any order. The `Ledger` made of
them balances, or `problems` names the differences. In each stage
`read = kept + rejected + sampled_out + with_image`, and the next stage reads the items that one
stage keeps.

    rejected     left out for a fault of its own, or because no task has a use for it; each is a
                 line of `_rejected/`
    sampled_out  left out by the recipe's caps or by `--limit`
    with_image   left out because the stage rejected its image: the image alone is a line of
                 `_rejected/`, its regions, sentences and the like are only counted
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from schemas.manifest import GuardList
from schemas.rejection import Kind, Reason, Repair

TallyKey = tuple[str, str, str, str, str]  # source, split, stage, kind, outcome
Tally = Counter[TallyKey]


class Stage(StrEnum):
    """The stages of a build and of `recap`, in order, both of which leave some out.

    The last one is of `subset`, which takes some records of a build: it counts pictures, regions
    and conversations.
    """

    READ = "read"
    GUARD = "guard"
    SCREEN = "screen"
    SAMPLE = "sample"
    CAPTION = "caption"
    FILTER = "filter"
    COMPOSE = "compose"
    WRITE = "write"
    SUBSET = "subset"


AccountKey = tuple[str, str, Stage, Kind]  # source, split, stage, kind

_LAST = (Stage.SUBSET, Stage.WRITE)  # the stages whose kept items are in shards, the later first
_TO_THE_END = set(Kind) - {Kind.FILE, Kind.CATEGORY}  # kinds that must arrive in a shard


class Account(BaseModel):
    """The account of one kind of item in one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: int = 0
    kept: int = 0
    sampled_out: int = 0
    with_image: int = 0  # items of images that the stage rejected
    rejected: dict[Reason, int] = {}
    repaired: dict[Repair, int] = {}  # repairs of kept items; not in the balance

    def missing(self) -> int:
        """Return the number of items that are unaccounted for; 0 when the account balances."""
        left_out = self.sampled_out + self.with_image + sum(self.rejected.values())
        return self.read - self.kept - left_out


class Ledger(BaseModel):
    """`ledger.json`: source, then split, then stage, then kind of item; zeros are left out.

    {"sources": {"coco": {"train": {
        "guard": {"image": {"read": 9, "kept": 8, "rejected": {"evaluation_image": 1}},
                  "annotation": {"read": 76, "kept": 70, "with_image": 6}},
        "screen": {"annotation": {"read": 70, "kept": 62, "rejected": {"crowd": 8}}}}}}}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, dict[str, dict[Stage, dict[Kind, Account]]]]
    guard: list[GuardList] = []  # the lists of the stage `guard`; empty: no guard

    def problems(self) -> list[str]:
        """Return a line for each place where the ledger does not balance."""
        lines = []
        for source, splits in sorted(self.sources.items()):
            for split, stages in sorted(splits.items()):
                lines += [f"{source}/{split}: {line}" for line in _split_problems(stages)]
        return lines

    def account(self, source: str, split: str, stage: Stage, kind: Kind) -> Account:
        """Return an account, which is empty where nothing was counted."""
        return self.sources.get(source, {}).get(split, {}).get(stage, {}).get(kind, Account())

    def stored(self, source: str, split: str, kind: Kind) -> int:
        """Return the number of a split's items of a kind that are in its shards."""
        stages = self.sources.get(source, {}).get(split, {})
        last = next((stage for stage in _LAST if kind in stages.get(stage, {})), Stage.WRITE)
        return self.account(source, split, last, kind).kept

    def accounts(self) -> Iterator[tuple[AccountKey, Account]]:
        """Yield every account with its key: source, split, stage, kind."""
        for source, splits in self.sources.items():
            for split, stages in splits.items():
                for stage, kinds in stages.items():
                    for kind, account in kinds.items():
                        yield (source, split, stage, kind), account

    def unreadable_files(self) -> int:
        """Return the number of input files that could not be used."""
        return sum(
            sum(account.rejected.values())
            for (*_, kind), account in self.accounts()
            if kind is Kind.FILE
        )

    def rejected(self, source: str) -> int:
        """Return the number of rejected items of a source, over all splits, stages and kinds."""
        return sum(
            sum(account.rejected.values()) for (of, *_), account in self.accounts() if of == source
        )


def ledger_of(tallies: Mapping[TallyKey, int], guard: Sequence[GuardList] = ()) -> Ledger:
    """Return the ledger of summed tallies, and of the guard's lists."""
    tree: dict[str, dict[str, dict[Stage, dict[Kind, dict[str, int]]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    )
    for (source, split, stage, kind, outcome), number in sorted(tallies.items()):
        tree[source][split][Stage(stage)][Kind(kind)][outcome] = number
    return Ledger(
        sources={
            source: {
                split: {
                    stage: {kind: _account(outcomes) for kind, outcomes in stages[stage].items()}
                    for stage in sorted(stages, key=list(Stage).index)
                }
                for split, stages in splits.items()
            }
            for source, splits in tree.items()
        },
        guard=list(guard),
    )


def rejected_as(reason: Reason) -> str:
    """Return the tally outcome of a rejection."""
    return f"rejected:{reason}"


def repaired_as(repair: Repair) -> str:
    """Return the tally outcome of a repair."""
    return f"repaired:{repair}"


def _account(outcomes: Mapping[str, int]) -> Account:
    named: dict[str, dict[str, int]] = {"rejected": {}, "repaired": {}}
    plain: dict[str, int] = {}
    for outcome, number in outcomes.items():
        group, _, code = outcome.partition(":")
        if code:
            named[group][code] = number
        else:
            plain[outcome] = number
    return Account.model_validate({**plain, **named})


def _split_problems(stages: Mapping[Stage, Mapping[Kind, Account]]) -> Iterable[str]:
    kept: dict[Kind, tuple[Stage, int]] = {}
    for stage in (stage for stage in Stage if stage in stages):
        for kind, account in stages[stage].items():
            if account.missing():
                yield (
                    f"stage {stage}, {kind}: read {account.read}, but kept {account.kept} + "
                    f"rejected {sum(account.rejected.values())} + sampled out "
                    f"{account.sampled_out} + with image {account.with_image}"
                )
            if account.with_image and not _rejects_images(stages[stage]):
                yield (
                    f"stage {stage}, {kind}: {account.with_image} left out with their image, but "
                    "the stage rejected no image"
                )
            before, number = kept.get(kind, (None, account.read))
            if before and number != account.read:
                yield f"stage {stage}, {kind}: read {account.read}, but {before} kept {number}"
            kept[kind] = stage, account.kept
    for kind, (stage, number) in kept.items():
        if kind in _TO_THE_END and number and stage not in _LAST:
            yield f"stage {stage}, {kind}: kept {number}, but no later stage read them"


def _rejects_images(kinds: Mapping[Kind, Account]) -> bool:
    return bool(kinds.get(Kind.IMAGE, Account()).rejected)
