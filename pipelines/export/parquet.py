"""Parquet with the pictures inside, as the library `datasets` and the Hub's viewer read it.

    coco/train-00000-of-00002.parquet      the records of a shard, with the same columns

The columns are those of a shard (`schemas.shard`), and the metadata names the features, so that
`datasets` decodes pictures. Nothing is lost. Each batch of a shard is a row group. Lists of a fixed
length are lists of any length here: Arrow cannot read them back from Parquet in the place of a mask
that is null.

    load_dataset("/parquet", "coco")

Source: https://huggingface.co/docs/datasets/image_dataset
"""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.layout import exported_shard
from schemas.shard import SCHEMA, features

SUFFIX = ".parquet"


def write(part: Part, target: Target) -> None:
    """Write the shards of a split."""
    schema = _parquet_schema()
    for shard in part.shards:
        name = exported_shard(shard.path, SUFFIX)
        with target.open(name) as file, pq.ParquetWriter(file, schema) as writer:
            for batch in part.batches(shard):
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _parquet_schema() -> pa.Schema:
    fields = [pa.field(field.name, _any_length(field.type)) for field in SCHEMA]
    named = json.dumps({"info": {"features": _without_lengths(features())}})
    return pa.schema(fields, metadata={**SCHEMA.metadata, b"huggingface": named})


def _any_length(kind: pa.DataType) -> pa.DataType:
    """Return a type with lists of any length in place of those of a fixed one."""
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _any_length(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_any_length(kind.value_type))
    return kind


def _without_lengths(feature: dict[str, Any]) -> dict[str, Any]:
    """Return a feature of `datasets` in its JSON form, without the lengths of its lists."""
    return {
        name: _without_lengths(value) if isinstance(value, dict) else value
        for name, value in feature.items()
        if not (name == "length" and feature.get("_type") == "List")
    }
