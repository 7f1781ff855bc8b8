"""The entries of a divided split, and how often each comes."""

from collections import Counter
from collections.abc import Iterable

from pipelines.datasets.common.bins import Division, read_bins
from pipelines.storage.files import FileStore
from schemas.source import Count, Entry, Repaired


def entries_of(division: Division | None) -> list[Entry]:
    """Return the entries of a split that must be divided."""
    assert division is not None
    return list(read_bins(division, FileStore()))


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
