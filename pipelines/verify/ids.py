"""The check that no two rows of a build have the same id, without holding the ids in memory."""

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.shards.reader import read_batches
from pipelines.storage import files
from pipelines.verify.shard import DIGEST_BYTES, Finding


def repeated_ids(output: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a problem for each id that several rows have; shards with such ids are read again."""
    if not findings:
        return
    digests = [np.frombuffer(finding.ids, f"S{DIGEST_BYTES}") for finding in findings]
    values, counts = np.unique(np.concatenate(digests), return_counts=True)
    repeated = values[counts > 1]
    places: dict[str, list[str]] = {}
    for finding, shard_digests in zip(findings, digests, strict=True):
        rows = np.isin(shard_digests, repeated).nonzero()[0].tolist()
        for record_id in _ids(files.join(output, finding.path), rows):
            places.setdefault(record_id, []).append(finding.path)
    for record_id, paths in places.items():
        yield f"{', '.join(dict.fromkeys(paths))}: {len(paths)} rows have the id {record_id!r}"


def _ids(path: str, rows: Sequence[int]) -> Iterator[str]:
    """Yield the ids of some rows of a shard, without reading past the last of these rows."""
    wanted = iter(rows)
    row, first = next(wanted, None), 0
    for batch in read_batches(path) if rows else ():
        while row is not None and row < first + len(batch):
            yield str(batch["id"][row - first])
            row = next(wanted, None)
        if row is None:
            return
        first += len(batch)
