"""All rows of one shard, put in order: by the rank of their image, then as they were composed."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from pipelines.pages import Page, PagedImage, unpack_page
from schemas import shard
from schemas.columns import BuildStamp
from schemas.manifest import ImagesMode

CHUNK_ROWS = 4_096


class ShardRows:
    """The rows of a shard without their pictures."""

    def __init__(self, pages: Iterable[Page]) -> None:
        unpacked = [unpack_page(page) for page in pages]
        batches = [batch for _, batch in unpacked if batch.num_rows]
        empty = pa.RecordBatch.from_pylist([], schema=shard.SCHEMA)
        self._batch = pa.concat_batches(batches) if batches else empty
        found = [image for images, _ in unpacked for image in images]
        starts = np.cumsum([0, *(image.rows for image in found)])
        # Each image with the row it begins at.
        self.images: list[tuple[PagedImage, int]] = sorted(
            zip(found, starts.tolist(), strict=False),
            key=lambda item: (item[0].position, item[0].image.image_id),
        )

    def take(self, rows: Sequence[int]) -> pa.RecordBatch:
        """Return some of the rows, in the order asked for."""
        return self._batch.take(pa.array(rows, pa.int64()))

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
