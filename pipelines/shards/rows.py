"""The rows of one shard in order: by the rank of their image, then in the order of composing."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipelines.shards.pages import Page, PagedImage, unpack_page
from schemas import shard
from schemas.columns import BuildStamp
from schemas.manifest import ImagesMode

_CHUNK_ROWS = 4_096
PART_BYTES = 2**30  # bytes of the rows in one batch; Arrow's offsets into text have 32 bits


class ShardRows:
    """The rows of a shard, without the bytes of their pictures."""

    def __init__(self, pages: Iterable[Page]) -> None:
        paged_images: list[PagedImage] = []
        batches = []
        for page in pages:
            images, batch = unpack_page(page)
            paged_images += images
            batches.append(batch)
        self._parts = list(_joined(batches))
        self._ends = np.cumsum([part.num_rows for part in self._parts])
        starts = np.cumsum([0, *(image.rows for image in paged_images)])
        # Each image with the number of its first row.
        self.images: list[tuple[PagedImage, int]] = sorted(
            zip(paged_images, starts.tolist(), strict=False),
            key=lambda item: (item[0].position, item[0].image.image_id),
        )

    def take(self, rows: Sequence[int]) -> pa.RecordBatch:
        """Return rows by their numbers, in the order of the numbers."""
        if len(self._parts) == 1:
            return self._parts[0].take(pa.array(rows, pa.int64()))
        wanted = np.array(rows, np.int64)
        holders = np.searchsorted(self._ends, wanted, side="right")
        pieces = [
            part.take(pa.array(wanted[holders == number] - (self._ends[number] - part.num_rows)))
            for number, part in enumerate(self._parts)
        ]
        by_part = np.argsort(holders, kind="stable")  # piece by piece
        return pa.concat_batches(pieces).take(pa.array(np.argsort(by_part)))

    def fingerprint(self, images: ImagesMode, stamp: BuildStamp) -> str:
        """Return the SHA-256, in hexadecimal, of everything that decides a shard's bytes.

        Pictures count by name and size only; a picture replaced by another of the same size goes
        unnoticed.
        """
        digest = hashlib.sha256(repr((shard.VERSION, images, stamp)).encode())
        for paged, _ in self.images:
            digest.update(repr((paged.image, paged.items)).encode("utf-8", "surrogatepass"))
        order = [row for paged, start in self.images for row in range(start, start + paged.rows)]
        for begin in range(0, len(order), _CHUNK_ROWS):
            digest.update(self.take(order[begin : begin + _CHUNK_ROWS]).serialize())
        return digest.hexdigest()


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield all rows in few batches, at least one."""
    parts: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if parts and size + batch.nbytes > PART_BYTES:
            yield pa.concat_batches(parts)
            parts, size = [], 0
        parts.append(batch)
        size += batch.nbytes
    yield pa.concat_batches(parts)
