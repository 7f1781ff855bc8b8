"""The ledger as a flow: for each kind of item of a source, what each stage leaves of it."""

from collections import Counter
from dataclasses import dataclass

from schemas.ledger import Account, Ledger, Stage
from schemas.rejection import Kind

_MOST_REASONS = 6  # of a stage; the rarest are summed up


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
    """The way of one kind of item of a source, over all of its splits."""

    source: str
    kind: str
    steps: list[Step]


def flows(ledger: Ledger) -> list[Flow]:
    """Return the flows of a ledger, source by source; kinds that are never read are left out."""
    totals: dict[tuple[str, Kind], dict[Stage, Account]] = {}
    for (source, _, stage, kind), account in ledger.accounts():
        stages = totals.setdefault((source, kind), {})
        stages[stage] = _sum(stages.get(stage, Account()), account)
    order = list(Kind)
    return [
        Flow(source, kind, _steps(stages))
        for (source, kind), stages in sorted(
            totals.items(), key=lambda item: (item[0][0], order.index(item[0][1]))
        )
        if kind not in (Kind.FILE, Kind.CATEGORY) and any(each.read for each in stages.values())
    ]


def _sum(one: Account, two: Account) -> Account:
    return Account(
        read=one.read + two.read,
        kept=one.kept + two.kept,
        sampled_out=one.sampled_out + two.sampled_out,
        with_image=one.with_image + two.with_image,
        rejected=dict(Counter(one.rejected) + Counter(two.rejected)),
    )


def _steps(stages: dict[Stage, Account]) -> list[Step]:
    ordered = [(stage, stages[stage]) for stage in Stage if stage in stages]
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
