"""All rows of one shard, put in order: by the rank of their image, then as they were composed."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipelines.shards.pages import Page, PagedImage, unpack_page
from schemas import shard
from schemas.columns import BuildStamp
from schemas.manifest import ImagesMode

CHUNK_ROWS = 4_096
PART_BYTES = 2**30  # of the rows held as one batch, whose text Arrow counts in 32 bits


class ShardRows:
    """The rows of a shard without their pictures."""

    def __init__(self, pages: Iterable[Page]) -> None:
        found: list[PagedImage] = []
        batches = []
        for page in pages:
            images, batch = unpack_page(page)
            found += images
            batches.append(batch)
        self._parts = list(_joined(batches))
        self._ends = np.cumsum([part.num_rows for part in self._parts])
        starts = np.cumsum([0, *(image.rows for image in found)])
        # Each image with the row it begins at.
        self.images: list[tuple[PagedImage, int]] = sorted(
            zip(found, starts.tolist(), strict=False),
            key=lambda item: (item[0].position, item[0].image.image_id),
        )

    def take(self, rows: Sequence[int]) -> pa.RecordBatch:
        """Return some of the rows, in the order asked for."""
        if len(self._parts) == 1:
            return self._parts[0].take(pa.array(rows, pa.int64()))
        wanted = np.array(rows, np.int64)
        holders = np.searchsorted(self._ends, wanted, side="right")
        pieces = [
            part.take(pa.array(wanted[holders == number] - (self._ends[number] - part.num_rows)))
            for number, part in enumerate(self._parts)
        ]
        found = np.argsort(holders, kind="stable")  # where the pieces' rows belong
        return pa.concat_batches(pieces).take(pa.array(np.argsort(found)))

    def fingerprint(self, images: ImagesMode, stamp: BuildStamp) -> str:
        """Return the digest of all that decides a shard's bytes, the pictures' own bytes aside.

        Pictures count by name and size; one replaced by another of the same size goes unnoticed.
        """
        digest = hashlib.sha256(repr((shard.VERSION, images, stamp)).encode())
        for paged, _ in self.images:
            digest.update(repr((paged.image, paged.items)).encode("utf-8", "surrogatepass"))
        order = [row for paged, start in self.images for row in range(start, start + paged.rows)]
        for begin in range(0, len(order), CHUNK_ROWS):
            digest.update(self.take(order[begin : begin + CHUNK_ROWS]).serialize())
        return digest.hexdigest()


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield all rows in few batches, one at least."""
    parts: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if parts and size + batch.nbytes > PART_BYTES:
            yield pa.concat_batches(parts)
            parts, size = [], 0
        parts.append(batch)
        size += batch.nbytes
    yield pa.concat_batches(parts)
