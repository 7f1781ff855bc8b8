"""The check that each row is in the shard of its image, and in the order of the images' ranks."""

from collections.abc import Iterator

from pipelines.shards.options import shard_and_rank
from schemas.check import Row
from schemas.manifest import Shard


class RowOrder:
    """The order of a shard's rows: by the rank of their image, which also decides the shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._last = -1

    def problems(self, row: Row) -> Iterator[str]:
        """Yield the problems of the next row's position; none where its id names no image."""
        image_id = _image_id(row)
        if image_id is None:
            return
        index, position = shard_and_rank(row["source"], row["split"], image_id, self._shard.of)
        if index != self._shard.index:
            yield f"is in shard {self._shard.index} of {self._shard.of}, expected it in {index}"
        elif position < self._last:
            yield "stands below a row that comes after it, expected the order of their images"
        self._last = position


def _image_id(row: Row) -> str | None:
    """Return the id of a row's image: `7` in `coco/train/7/region_caption/0`."""
    prefix = f"{row['source']}/{row['split']}/"
    if not (row["id"] or "").startswith(prefix):
        return None
    parts = row["id"].removeprefix(prefix).rsplit("/", 2)
    return parts[0] if len(parts) == 3 else None
