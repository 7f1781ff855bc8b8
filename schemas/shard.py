"""The contract between the pipelines, which write shards, and training, which reads them.

A shard is an Arrow IPC stream of record batches of `SCHEMA`. The schema's `huggingface` metadata
names the `datasets` features, so that `datasets.load_dataset` decodes it without our code.
"""

import json
from typing import Any

import pyarrow as pa

VERSION = "1"

MASK = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.string())])

REGION = pa.struct(
    [
        ("region_id", pa.string()),  # the owner's id
        ("bbox", pa.list_(pa.float32(), 4)),  # xyxy, pixels of the stored image, inside it
        ("mask", MASK),  # size is [height, width]; counts are COCO compressed run lengths
        ("category", pa.string()),  # the owner's spelling
        ("caption", pa.string()),
        ("score", pa.float32()),  # the detector's confidence; in `recapd` the CLIP similarity
    ]
)

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

EVALUATION = pa.struct(
    [
        ("item_id", pa.string()),
        ("group", pa.string()),
        ("references", pa.list_(pa.string())),
        ("choices", pa.list_(pa.string())),
        ("label", pa.int32()),
    ]
)

PROVENANCE = pa.struct(
    [
        ("builder", pa.string()),  # name and version of what built it
        ("recipe", pa.string()),
        ("prompts", pa.list_(pa.string())),  # ids of the wordings, one per user turn
        ("seed", pa.int64()),
        ("captioner_model", pa.string()),
        ("captioner_sampling", pa.string()),  # JSON
        ("global_caption", pa.string()),
    ]
)

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),  # source/split/image/task/ordinal
    ("source", pa.string()),
    ("split", pa.string()),
    ("task", pa.string()),
    ("turn_tasks", pa.list_(pa.string())),  # one per assistant turn
    ("image", IMAGE),  # null for text-only records
    ("width", pa.int32()),  # of the stored image, pixels; null for text-only records
    ("height", pa.int32()),
    ("regions", pa.list_(REGION)),
    ("messages", pa.list_(MESSAGE)),
    ("evaluation", EVALUATION),  # null but in evaluation builds
    ("licence", pa.string()),
    ("provenance", PROVENANCE),
]


def features() -> dict[str, Any]:
    """Return the `datasets` features of a shard, in the library's JSON form."""
    return {name: _feature(name, kind) for name, kind in _FIELDS}


def _feature(name: str, kind: pa.DataType) -> dict[str, Any]:
    if name == "image":
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.name, field.type) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        inner = _feature("", kind.value_type)
        return {"feature": inner, "length": kind.list_size, "_type": "List"}
    if pa.types.is_list(kind):
        return {"feature": _feature("", kind.value_type), "_type": "List"}
    return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}


SCHEMA = pa.schema(
    _FIELDS,
    metadata={
        "huggingface": json.dumps({"info": {"features": features()}}),
        "regionforge": json.dumps({"schema_version": VERSION}),
    },
)


def shard_name(split: str, index: int, of: int) -> str:
    """Return the file name of one shard of a split."""
    return f"{split}-{index:05d}-of-{of:05d}.arrow"
