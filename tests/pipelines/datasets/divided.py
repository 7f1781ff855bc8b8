"""The entries of a divided file, and how often each comes."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from pipelines.datasets.coco.division import Division, deal_out, read_bin
from pipelines.storage.files import FileStore
from schemas.rejection import Rejection
from schemas.source import Count, Entry, Repaired, SplitInput


def entries_of(split: SplitInput, divided: Division | None) -> list[Entry]:
    """Return the entries of a file that must be divided."""
    assert divided is not None
    entries = list(divided.entries)
    texts: dict[int, list[bytes]] = defaultdict(list)
    for piece in divided.slices:
        content = FileStore().read_range(split.file, piece.start, piece.end)
        for dealt in deal_out(piece, content):
            if isinstance(dealt, Rejection):
                entries.append(dealt)
            else:
                texts[dealt[0]].append(dealt[1])
    for some in divided.bins:
        entries += read_bin(some, texts[some.number])
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
