"""The entries of a divided split, and how often each comes."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from pipelines.datasets.spec import Division
from pipelines.storage.files import FileStore
from schemas.rejection import Rejection
from schemas.source import Count, Entry, Repaired, SplitInput


def split_into_parts(splits: Iterable[SplitInput], parts: int) -> list[SplitInput]:
    """Return the parts of all splits."""
    return [replace(split, part=part, parts=parts) for split in splits for part in range(parts)]


def entries_of(division: Division | None) -> list[Entry]:
    """Return the entries of a split that must be divided."""
    assert division is not None
    entries, store = list(division.entries), FileStore()
    dealt: dict[int, list[bytes]] = defaultdict(list)
    for some in division.slices:
        for result in some.deal_out(store):
            if isinstance(result, Rejection):
                entries.append(result)
            else:
                dealt[result[0]].append(result[1])
    for some_bin, content in division.bins:
        entries += some_bin.read(store, content, dealt[some_bin.number])
    return entries


def counted(entries: Iterable[Entry]) -> Counter[str]:
    """Return how often each entry comes, counts added up."""
    counts: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry, Count):
            counts[f"count {entry.kind} {entry.outcome}"] += entry.number
        elif isinstance(entry, Repaired):
            counts[f"repair {entry.kind} {entry.repair}"] += entry.number
        else:
            counts[repr(entry)] += 1
    return +counts
