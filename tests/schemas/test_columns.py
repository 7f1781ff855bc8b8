"""Rows to record batches and back, and the schema as `datasets` understands it.

Length: every field of the record is filled and read back.
"""

import io
import json

import pyarrow as pa
import pytest
from datasets import Features, Image
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.columns import (
    BuildStamp,
    ImageColumn,
    Row,
    regions_of,
    to_batch,
)
from schemas.item import Attribute, CaptionProvenance, RegionCaption
from schemas.layout import shard_name
from schemas.mask import Mask
from schemas.sample import Conversation, Evaluation, ImageInfo, Message, Region, Task
from schemas.shard import SCHEMA, VERSION, features

STAMP = BuildStamp(builder="regionforge 1", recipe="all", seed=2**62)
MASKED = Region(
    region_id="11",
    bbox=(0.5, 1.0, 4.25, 6.0),
    mask=Mask(height=6, width=8, counts="`1"),
    area=20.5,
    category="traffic_light",
    score=0.25,
    caption="A light.",
    captions=(RegionCaption("sentence", "A light.", 0.5, 0.25, 0.75), RegionCaption("phrase", "x")),
    attributes=(Attribute("colour", "red"),),
)
BARE = Region(region_id="12", bbox=(0.0, 0.0, 8.0, 6.0))
TALK = (Message("user", "<image>\nName <region1>."), Message("assistant", "traffic light"))

PLAIN = Conversation(
    id="coco/train/7/region_classification/0",
    turn_tasks=(Task.REGION_CLASSIFICATION,),
    regions=(MASKED, BARE),
    messages=TALK,
    prompts=("region_classification/1",),
)
TEXT_ONLY = Conversation(
    id="llava/train/8/image_conversation/0",
    turn_tasks=(Task.IMAGE_CONVERSATION, Task.IMAGE_CAPTION),
    regions=(),
    messages=(Message("system", "Be brief."), *TALK, *TALK),
    prompts=("a", "b"),
)
EVALUATED = replace(
    PLAIN,
    regions=(BARE,),
    evaluation=(
        Evaluation(
            turn=0,
            item_id="q1",
            group="easy",
            references=("a", "b"),
            choices=("yes", "no"),
            label=1,
        ),
        Evaluation(turn=0, position=1, item_id="q2", group="hard", references=("c",)),
    ),
    captioner=CaptionProvenance("builtin", "{}", "A street.", "judge", "clip"),
)


def row(conversation: Conversation, path: str | None = "7.jpg") -> Row:
    size = (8, 6) if path else (None, None)
    image = ImageInfo(
        source=conversation.id.split("/", 1)[0],
        split="train",
        image_id="7",
        file_name=path,
        folder="coco/train",
        width=size[0],
        height=size[1],
        size_bytes=100,
        licence="CC BY 4.0",
        shards=1,
    )
    return Row(image, path, conversation, size)


ROWS = [row(PLAIN)._replace(image_hash="xxh128:00"), row(TEXT_ONLY, None), row(EVALUATED)]
IMAGES = pa.array([b"jpeg", None, b"png"], pa.binary())


def with_bytes() -> pa.RecordBatch:
    """The rows with the bytes of their images."""
    return to_batch(ROWS, STAMP, IMAGES)


def expected_provenance(**changes):
    names = ["captioner_model", "captioner_sampling", "global_caption", "judge_model", "scorer"]
    plain = dict.fromkeys(names)
    return {"builder": "regionforge 1", "recipe": "all", "seed": 2**62, **plain, **changes}


def test_datasets_reads_the_schema_as_we_mean_it():
    read_features = Features.from_arrow_schema(SCHEMA)
    assert read_features.arrow_schema == SCHEMA
    assert read_features["image"] == Image(decode=True)
    assert json.loads(json.dumps(read_features.to_dict())) == features()
    metadata = {name.decode(): json.loads(text) for name, text in SCHEMA.metadata.items()}
    assert metadata == {
        "huggingface": {"info": {"features": features()}},
        "regionforge": {"schema_version": VERSION},
    }


def test_a_row_with_an_image_comes_back():
    batch = with_bytes()
    assert batch.schema.equals(SCHEMA, check_metadata=True)
    assert batch.to_pylist()[0] == {
        "id": "coco/train/7/region_classification/0",
        "source": "coco",
        "split": "train",
        "task": "region_classification",
        "turn_tasks": ["region_classification"],
        "image": {"bytes": b"jpeg", "path": "7.jpg"},
        "width": 8,
        "height": 6,
        "image_hash": "xxh128:00",
        "regions": [
            {
                "region_id": "11",
                "bbox": [0.5, 1.0, 4.25, 6.0],
                "mask": {"size": [6, 8], "counts": "`1"},
                "area": 20.5,
                "category": "traffic_light",
                "score": 0.25,
                "caption": "A light.",
                "captions": [
                    {
                        "kind": "sentence",
                        "text": "A light.",
                        "clip": 0.5,
                        "clip_min": 0.25,
                        "judge": 0.75,
                    },
                    {
                        "kind": "phrase",
                        "text": "x",
                        **dict.fromkeys(["clip", "clip_min", "judge"]),
                    },
                ],
                "attributes": [{"name": "colour", "value": "red"}],
            },
            {
                "region_id": "12",
                "bbox": [0.0, 0.0, 8.0, 6.0],
                **dict.fromkeys(["mask", "area", "category", "score", "caption"]),
                "captions": [],
                "attributes": [],
            },
        ],
        "messages": [
            {"role": "user", "content": "<image>\nName <region1>."},
            {"role": "assistant", "content": "traffic light"},
        ],
        "evaluation": [],
        "licence": "CC BY 4.0",
        "provenance": expected_provenance(prompts=["region_classification/1"]),
    }


def test_a_row_without_an_image_comes_back():
    row = with_bytes().to_pylist()[1]
    assert (row["image"], row["width"], row["height"]) == (None, None, None)
    assert (row["source"], row["task"], row["regions"]) == ("llava", "multi_task", [])
    assert row["turn_tasks"] == ["image_conversation", "image_caption"]
    assert [message["role"] for message in row["messages"]] == [
        "system",
        *["user", "assistant"] * 2,
    ]


def test_an_evaluation_and_a_captioner_come_back():
    row = with_bytes().to_pylist()[2]
    plain = {"turn": 0, "choices": [], "label": None}
    assert row["evaluation"] == [
        {
            "turn": 0,
            "position": 0,
            "item_id": "q1",
            "group": "easy",
            "references": ["a", "b"],
            "choices": ["yes", "no"],
            "label": 1,
        },
        plain | {"position": 1, "item_id": "q2", "group": "hard", "references": ["c"]},
    ]
    assert row["provenance"] == expected_provenance(
        prompts=["region_classification/1"],
        captioner_model="builtin",
        captioner_sampling="{}",
        global_caption="A street.",
        judge_model="judge",
        scorer="clip",
    )


def test_a_row_is_written_alike_whatever_stands_beside_it():
    alone, beside = to_batch(ROWS[:1], STAMP), to_batch(ROWS, STAMP)
    assert ROWS[2].conversation.evaluation
    assert alone.take([0]).serialize().equals(beside.take([0]).serialize())


def test_rows_that_refer_to_their_images():
    lines = to_batch(ROWS, STAMP).to_pylist()
    assert [line["image"] for line in lines] == [
        {"bytes": None, "path": "7.jpg"},
        None,
        {"bytes": None, "path": "7.jpg"},
    ]


def test_a_batch_takes_the_sizes_of_the_pictures_as_they_are_stored():
    sizes = [(6, 8), (None, None), (3, 4)]
    rows = [row._replace(size=size) for row, size in zip(ROWS, sizes, strict=True)]
    for images in (None, IMAGES):
        batch, filled = to_batch(ROWS, STAMP, images), to_batch(rows, STAMP, images)
        assert filled.schema.equals(SCHEMA, check_metadata=True)
        filled.validate(full=True)
        assert [(line["width"], line["height"]) for line in filled.to_pylist()] == sizes
        same = [name for name in SCHEMA.names if name not in {"width", "height"}]
        assert filled.select(same) == batch.select(same)


def test_regions_come_back():
    assert regions_of(to_batch(ROWS, STAMP)) == [[MASKED, BARE], [], [BARE]]


@pytest.mark.parametrize("rows", [[], [ROWS[1]], [ROWS[0]] * 3])
def test_batches_of_any_size_pass_arrows_own_checks(rows):
    batch = to_batch(rows, STAMP)
    batch.validate(full=True)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, SCHEMA) as stream:
        stream.write_batch(batch)
    table = pa.ipc.open_stream(sink.getvalue()).read_all()
    assert table.to_pylist() == batch.to_pylist()
    assert len(table) == len(rows)


@given(st.lists(st.sampled_from(ROWS), max_size=6))
def test_a_row_is_the_same_in_any_batch(rows):
    together = to_batch(rows, STAMP).to_pylist()
    alone = [line for row in rows for line in to_batch([row], STAMP).to_pylist()]
    assert together == alone


def put(column: ImageColumn, content: bytes, spare: int = 0) -> None:
    """Add an image as the writer does: ask for more room than the image then takes."""
    column.room(len(content) + spare)[: len(content)] = content
    column.commit(len(content))


@given(
    st.lists(st.none() | st.tuples(st.binary(max_size=20), st.integers(0, 3), st.integers(0, 9))),
    st.integers(0, 8),
)
def test_images_are_held_whatever_the_buffer_held_at_first(images, capacity):
    column = ImageColumn(capacity)
    expected: list[bytes | None] = []
    for image in images:
        if image is None:
            column.skip()
            expected.append(None)
        else:
            content, repeats, spare = image
            put(column, content, spare)
            for _ in range(repeats):
                last = column.last()
                column.room(len(last))[:] = last
                column.commit(len(last))
            expected += [content] * (repeats + 1)
    assert column.array().to_pylist() == expected
    assert column.size == sum(len(content or b"") for content in expected)


def test_a_cleared_column_starts_anew():
    column = ImageColumn(4)
    put(column, b"first")
    column.skip()
    column.clear()
    assert (column.size, column.array().to_pylist()) == (0, [])
    put(column, b"next")
    assert column.array().to_pylist() == [b"next"]


def test_room_that_was_not_used_is_given_again():
    column = ImageColumn(4)
    put(column, b"one")
    column.room(100)[:] = b"x" * 100
    put(column, b"two", spare=50)
    assert column.array().to_pylist() == [b"one", b"two"]


def test_images_are_not_copied():
    column = ImageColumn(100)
    put(column, b"pixels")
    values = column.array()
    column.clear()
    column.room(6)[:] = b"PIXELS"
    assert values.to_pylist() == [b"PIXELS"]


def test_the_name_of_a_shard():
    assert shard_name("train", 3, 120) == "train-00003-of-00120.arrow"
