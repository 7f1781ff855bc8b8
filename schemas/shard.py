"""The Arrow schema of shards, which pipelines write, and training and `datasets` read.

A shard is an Arrow IPC stream of record batches of `SCHEMA`. The schema's `huggingface` metadata
names the `datasets` features, so that `datasets.load_dataset` decodes it without our code.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

VERSION = "2"

MASK = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.string())])

CAPTION = pa.struct(
    [
        ("kind", pa.string()),
        ("text", pa.string()),
        ("clip", pa.float32()),
        ("clip_min", pa.float32()),
        ("judge", pa.float32()),
    ]
)

ATTRIBUTE = pa.struct([("name", pa.string()), ("value", pa.string())])

REGION = pa.struct(
    [
        ("region_id", pa.string()),
        ("bbox", pa.list_(pa.float32(), 4)),
        ("mask", MASK),
        ("area", pa.float32()),
        ("category", pa.string()),
        ("score", pa.float32()),
        ("caption", pa.string()),
        ("captions", pa.list_(CAPTION)),
        ("attributes", pa.list_(ATTRIBUTE)),
    ]
)

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

EVALUATION = pa.struct(
    [
        ("turn", pa.int32()),
        ("position", pa.int32()),
        ("item_id", pa.string()),
        ("group", pa.string()),
        ("references", pa.list_(pa.string())),
        ("choices", pa.list_(pa.string())),
        ("label", pa.int32()),
    ]
)

PROVENANCE = pa.struct(
    [
        ("builder", pa.string()),
        ("recipe", pa.string()),
        ("prompts", pa.list_(pa.string())),
        ("seed", pa.int64()),
        ("captioner_model", pa.string()),
        ("captioner_sampling", pa.string()),
        ("global_caption", pa.string()),
        ("judge_model", pa.string()),
        ("scorer", pa.string()),
    ]
)

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("source", pa.string()),
    ("split", pa.string()),
    ("task", pa.string()),
    ("turn_tasks", pa.list_(pa.string())),
    ("image", IMAGE),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("image_hash", pa.string()),
    ("regions", pa.list_(REGION)),
    ("messages", pa.list_(MESSAGE)),
    ("evaluation", pa.list_(EVALUATION)),
    ("licence", pa.string()),
    ("provenance", PROVENANCE),
]

# What each field holds, by its full name. These words are not in the Arrow schema, whose bytes are
# in every shard: they may change without a new version.
DESCRIPTIONS: Mapping[str, str] = {
    "id": "unique and stable: source/split/image/task/ordinal",
    "source": "the source's name; `recapd` for the captions that `recap` made",
    "split": "the owner's split",
    "task": "the task of all turns, or `multi_task`",
    "turn_tasks": "the task of each assistant turn, in order",
    "image": "the image; null where the record is text only",
    "image.bytes": "the owner's file where it is upright; null in builds with `--images reference`",
    "image.path": "the owner's file name; in builds with `--images reference` below the data root",
    "width": "width of the stored image, pixels; null where the record is text only",
    "height": "height of the stored image, pixels; null where the record is text only",
    "image_hash": (
        "`xxh128:` and 32 hexadecimal digits, of `image.bytes`; in builds with `--images "
        "reference` of the owner's file where it was opened, or null"
    ),
    "regions": "the regions of the messages; `<regionK>` stands for `regions[K - 1]`",
    "regions.region_id": "the owner's id",
    "regions.bbox": "x0, y0, x1, y1; pixels of the stored image, inside it",
    "regions.mask": "the region's mask; null where the owner has none",
    "regions.mask.size": "height and width of the stored image",
    "regions.mask.counts": "COCO's compressed run lengths",
    "regions.area": (
        "the owner's area, square pixels of the stored image, whatever was clipped or dilated; "
        "null where the owner states none"
    ),
    "regions.category": "the owner's spelling; null where the owner has none",
    "regions.score": "a detector's confidence; null where no detector drew the box",
    "regions.caption": "the detailed caption that `messages` uses; null where there is none",
    "regions.captions": "all kept texts of a captioner; empty without one",
    "regions.captions.kind": "`phrase` (no sentence), `sentence`, or `paragraph` (several)",
    "regions.captions.text": "the text",
    "regions.captions.clip": (
        "CLIP similarity of text and crop, -1 to 1: the mean over the parts in which a long text "
        "is scored; null where the text was not scored"
    ),
    "regions.captions.clip_min": "CLIP similarity of the part that is least like the crop",
    "regions.captions.judge": (
        "a judge's probability, 0 to 1, that all of the text is true; null without a judge"
    ),
    "regions.attributes": "properties of the region; empty where nobody states any",
    "regions.attributes.name": (
        "`colour`, `material`, `shape`, `state` or `text`; or `attribute`, for the owner's own"
    ),
    "regions.attributes.value": "the property itself",
    "messages": "the turns; `<image>` stands once, in the first user turn",
    "messages.role": "`system`, `user` or `assistant`",
    "messages.content": "the text",
    "evaluation": "the right answers, an entry for each thing asked; empty in other builds",
    "evaluation.turn": "the assistant turn that answers, from 0",
    "evaluation.position": "the part of an answer about several regions, from 0; else 0",
    "evaluation.item_id": "the owner's id of the region, sentence or question",
    "evaluation.group": (
        "the questions that are scored together: by image, question or split; in choices among a "
        "detector's boxes `detected`, or `ground_truth_added` where no detected box fits"
    ),
    "evaluation.references": "all right answers",
    "evaluation.choices": "all answers to choose from; empty where the answer is free",
    "evaluation.label": "index of the right choice, from 0; null without choices",
    "licence": "the terms of the annotations, and of the image where its owner states them",
    "provenance": "the record's origin",
    "provenance.builder": "name and version of the builder",
    "provenance.recipe": "name of the recipe",
    "provenance.prompts": "ids of the wordings, one for each user turn",
    "provenance.seed": "the seed of all choices by hash",
    "provenance.captioner_model": "the model that wrote the detailed captions; null without",
    "provenance.captioner_sampling": "sampling parameters of that model, as JSON",
    "provenance.global_caption": "the caption of the whole image that the captioner was given",
    "provenance.judge_model": "the model that judged the captions; null without a judge",
    "provenance.scorer": (
        "the CLIP model that scored the captions, with its weights and its view of a region; null "
        "where nothing was scored"
    ),
}


class Field(NamedTuple):
    """The description of a field of the schema, for people."""

    name: str  # the full name, e.g. regions.mask.size
    type: str
    holds: str


def fields() -> Iterator[Field]:
    """Yield the description of every field, outer fields first."""
    for name, kind in _FIELDS:
        yield from _described(name, kind)


def _described(name: str, kind: pa.DataType) -> Iterator[Field]:
    yield Field(name, _type_name(kind), DESCRIPTIONS[name])
    inner = kind.value_type if pa.types.is_list(kind) else kind
    if pa.types.is_struct(inner):
        for field in inner:
            yield from _described(f"{name}.{field.name}", field.type)


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_fixed_size_list(kind):
        return f"{kind.list_size} x {_type_name(kind.value_type)}"
    if pa.types.is_list(kind):
        return f"list of {_type_name(kind.value_type)}"
    return _value_name(kind)


def _value_name(kind: pa.DataType) -> str:
    return {"float": "float32"}.get(str(kind), str(kind))


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
    return {"dtype": _value_name(kind), "_type": "Value"}


SCHEMA = pa.schema(
    _FIELDS,
    metadata={
        "huggingface": json.dumps({"info": {"features": features()}}),
        "regionforge": json.dumps({"schema_version": VERSION}),
    },
)
