"""The ledger as a flow: for each kind of item of a source, what each stage leaves of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.ledger import Account, Ledger, Stage
from schemas.rejection import Kind

_MOST_REASONS = 6  # of a stage; the rarest are summed up

_Stages = dict[Stage, Account]


@dataclass(frozen=True, slots=True)
class Loss:
    """Items that a stage leaves out for one reason."""

    reason: str
    number: int
    way: str  # `rejected`, `sampled` or `image`, for its colour


@dataclass(frozen=True, slots=True)
class Step:
    """A stage: what it reads and keeps, in items and in percent of what the first one read."""

    stage: str
    read: int
    kept: int
    losses: list[Loss]
    before: float  # height of the flow into the stage, percent
    after: float  # height of the flow out of it, percent


@dataclass(frozen=True, slots=True)
class Flow:
    """The way of one kind of item of a source, over all of its splits.

    What a split does not pass through, such as the guard of splits to train on, its items pass by.
    """

    source: str
    kind: str
    steps: list[Step]


def flows(ledger: Ledger) -> list[Flow]:
    """Return the flows of a ledger, source by source; kinds that are never read are left out."""
    splits: dict[tuple[str, Kind], dict[str, _Stages]] = {}
    for (source, split, stage, kind), account in ledger.accounts():
        splits.setdefault((source, kind), {}).setdefault(split, {})[stage] = account
    order = list(Kind)
    totals = {
        key: _total(list(stages.values()))
        for key, stages in sorted(
            splits.items(), key=lambda item: (item[0][0], order.index(item[0][1]))
        )
    }
    return [
        Flow(source, kind, _steps(stages))
        for (source, kind), stages in totals.items()
        if kind not in (Kind.FILE, Kind.CATEGORY) and any(each.read for each in stages.values())
    ]


def _total(splits: Sequence[_Stages]) -> _Stages:
    """Return the sums of all splits, stage by stage."""
    order = [stage for stage in Stage if any(stage in stages for stages in splits)]
    total = dict.fromkeys(order, Account())
    for stages in splits:
        last = max(map(order.index, stages))
        passing = 0
        for stage in order[: last + 1]:
            account = stages.get(stage, Account(read=passing, kept=passing))
            total[stage] = _sum(total[stage], account)
            passing = account.kept
    return total


def _sum(one: Account, two: Account) -> Account:
    return Account(
        read=one.read + two.read,
        kept=one.kept + two.kept,
        sampled_out=one.sampled_out + two.sampled_out,
        with_image=one.with_image + two.with_image,
        rejected=dict(Counter(one.rejected) + Counter(two.rejected)),
    )


def _steps(stages: _Stages) -> list[Step]:
    ordered = list(stages.items())
    most = max(account.read for _, account in ordered) or 1
    return [
        Step(
            stage,
            account.read,
            account.kept,
            _losses(account),
            100 * account.read / most,
            100 * account.kept / most,
        )
        for stage, account in ordered
    ]


def _losses(account: Account) -> list[Loss]:
    rejected = Counter(account.rejected).most_common()
    losses = [Loss(reason, number, "rejected") for reason, number in rejected[:_MOST_REASONS]]
    if rest := rejected[_MOST_REASONS:]:
        number = sum(number for _, number in rest)
        losses.append(Loss(f"{len(rest)} other reasons", number, "rejected"))
    losses += [Loss("sampled out", account.sampled_out, "sampled")] * (account.sampled_out > 0)
    losses += [Loss("with its image", account.with_image, "image")] * (account.with_image > 0)
    return losses
