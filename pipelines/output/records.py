"""The records of an output, read back in order."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from pipelines.output.reader import read_manifest
from pipelines.shards.reader import DAMAGE, read_columns, shard_batches
from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.manifest import Manifest, Shard
from schemas.shard import SCHEMA


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
        if not known:
            raise UsageError("no records are here: the output holds none")
        wanted = " / ".join(name for name in (config, split) if name)
        raise UsageError(f"no records of {wanted} are here; there are: {', '.join(known)}")
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


def shard_columns(
    output: str, shard: Shard, names: Sequence[str] = SCHEMA.names
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a shard's record batches, in order.

    Args:
        output: the folder of the output.
        shard: the entry of the manifest.
        names: the names of the columns; the others are not read from a local shard.

    Raises:
        InputFileError: the shard cannot be read, or has not the rows of the manifest.
    """
    path = files.join(output, shard.path)
    rows = 0
    try:
        for batch in read_columns(path, names):
            rows += batch.num_rows
            yield batch
    except DAMAGE as error:
        raise InputFileError(
            f"cannot read the shard {path}: {error}. `regionforge verify` says more."
        ) from None
    if rows != shard.rows:
        raise InputFileError(
            f"the shard {path} has {rows} rows, expected {shard.rows} as in the manifest. "
            "`regionforge verify` says more."
        )
