"""What was left out of outputs that are united or cut: their ledgers and rejected items."""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.output.reader import read_rejections
from pipelines.parts.part import Part, SplitKey
from pipelines.storage import files
from schemas.layout import rejected_path
from schemas.ledger import Account, Ledger, Stage
from schemas.manifest import GuardList
from schemas.rejection import Kind, Rejection

Stages = dict[Stage, dict[Kind, Account]]


@dataclass(slots=True)
class Kept:
    """The numbers of a split's items that a selection takes."""

    pictures: int = 0
    regions: int = 0
    records: int = 0


def cut_ledger(
    ledger: Ledger, splits: Collection[SplitKey], kept: Mapping[SplitKey, Kept]
) -> Ledger:
    """Return the ledger of some splits of an output.

    Args:
        ledger: the ledger of the output.
        splits: the splits that are taken.
        kept: of splits of which some records are left out, the numbers of what is taken.
    """
    sources: dict[str, dict[str, Stages]] = {}
    for source, split in splits:
        stages = dict(ledger.sources.get(source, {}).get(split, {}))
        if (numbers := kept.get((source, split))) is not None:
            counts = {
                Kind.IMAGE: numbers.pictures,
                Kind.ANNOTATION: numbers.regions,
                Kind.CONVERSATION: numbers.records,
            }
            written = stages.get(Stage.WRITE, {})
            stages[Stage.SUBSET] = {
                kind: _sampled(written[kind].kept, number)
                for kind, number in counts.items()
                if kind in written
            }
        sources.setdefault(source, {})[split] = stages
    return Ledger(sources=sources, guard=ledger.guard)


def _sampled(read: int, kept: int) -> Account:
    kept = min(read, kept)
    return Account(read=read, kept=kept, sampled_out=read - kept)


def united_ledger(parts: Sequence[Part]) -> Ledger:
    """Return the ledger of several outputs together."""
    sources: dict[str, dict[str, Stages]] = {}
    for part in parts:
        for (source, split, stage, kind), account in part.ledger.accounts():
            accounts = sources.setdefault(source, {}).setdefault(split, {}).setdefault(stage, {})
            accounts[kind] = _sum(accounts[kind], account) if kind in accounts else account
    return Ledger(sources=sources, guard=united_guard(parts))


def _sum(one: Account, other: Account) -> Account:
    totals = {
        name: getattr(one, name) + getattr(other, name)
        for name in ("read", "kept", "sampled_out", "with_image")
    }
    rejected = {
        reason: one.rejected.get(reason, 0) + other.rejected.get(reason, 0)
        for reason in sorted(one.rejected.keys() | other.rejected.keys())
    }
    repaired = {
        repair: one.repaired.get(repair, 0) + other.repaired.get(repair, 0)
        for repair in sorted(one.repaired.keys() | other.repaired.keys())
    }
    return Account(**totals, rejected=rejected, repaired=repaired)


def united_guard(parts: Sequence[Part]) -> list[GuardList]:
    """Return the guard's lists of several outputs: what they do not share guards none of them."""
    lists = [{item.name: item for item in part.manifest.identity.guard} for part in parts]
    names = dict.fromkeys(name for of_part in lists for name in of_part)
    return [
        lists[0][name]
        if all(of_part.get(name) == lists[0].get(name) for of_part in lists)
        else GuardList(name=name, missing="its list is not the same in all parts")
        for name in names
    ]


def write_rejections(
    output: str, parts: Sequence[Part], splits: Collection[SplitKey]
) -> dict[str, int]:
    """Write the rejected items of some splits of outputs; return their number by config."""
    numbers = {}
    for config in sorted({config for config, _ in splits}):
        taken = {split for source, split in splits if source == config}
        lists = [_items(part, config, taken) for part in parts]
        number = 0
        merged = heapq.merge(*lists, key=Rejection.sort_key)
        with files.open_whole(files.join(output, rejected_path(config))) as file:
            for item in merged:
                file.write(item.line() + b"\n")
                number += 1
        if number:
            numbers[config] = number
        else:
            files.delete([files.join(output, rejected_path(config))])
    return numbers


def _items(part: Part, config: str, splits: Collection[str]) -> Iterator[Rejection]:
    return (item for item in read_rejections(part.output, config) if item.split in splits)
