"""The records of an output, read back in order."""

from collections.abc import Iterator

import pyarrow as pa

from pipelines.output.reader import read_manifest
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.manifest import Manifest, Shard


def select_shards(manifest: Manifest, config: str | None, split: str | None) -> list[Shard]:
    """Return the shards of an output that belong to a config and a split, in order.

    Args:
        manifest: the manifest of the output.
        config: the name of a source, or of the recipe, which unites all; None: of all.
        split: the name of a split; None: of all.

    Raises:
        UsageError: there is no such config or split; the message lists those there are.
    """
    united = manifest.identity.recipe.get("name")
    shards = [
        shard
        for shard in manifest.shards
        if config in (None, united, shard.config) and split in (None, shard.split)
    ]
    if not shards:
        known = sorted({f"{shard.config} / {shard.split}" for shard in manifest.shards})
        wanted = " / ".join(name or "any" for name in (config, split))
        raise UsageError(f"no records of {wanted} here; there are: {', '.join(known)}")
    return shards


def read_records(
    output: str, config: str | None = None, split: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a finished output, in order; see `select_shards`.

    Raises:
        InputFileError: there is no finished output, or a shard is damaged.
        UsageError: there is no such config or split.
    """
    for shard in select_shards(read_manifest(output), config, split):
        yield from shard_batches(files.join(output, shard.path))
