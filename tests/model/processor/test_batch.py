"""A batch's flat positions point at its placeholders, however its rows are joined."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.batch import Arrangement, Example, RegionBatch, join, shared_tokens
from model.config import IGNORED, IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID

PAD, TOKENS, SIDE, GRID = 3, 4, 2, 5


def normalised(squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The pictures as they are, channels first."""
    return np.stack([square.transpose(2, 0, 1) for square in squares]).astype(np.float32)


@st.composite
def examples(draw: Any, *, boxes: bool, boundaries: bool, labels: bool) -> Example:
    """A row with a picture or none, with regions or none, that may be mentioned twice."""
    words = st.lists(st.integers(4, 99), min_size=1, max_size=4)
    ids = draw(words)
    pixels, count, mentioned = None, 0, []
    if draw(st.booleans()):
        inner = [IMAGE_ID] * TOKENS
        ids += [IMAGE_START_ID, *inner, IMAGE_END_ID] if boundaries else inner
        pixels = np.full((SIDE, SIDE, 3), draw(st.integers(0, 9)), np.uint8)
        count = draw(st.integers(0, 3))
        more = draw(st.lists(st.integers(0, count - 1), max_size=2)) if count else []
        mentioned = draw(st.permutations([*range(count), *more]))
        for _ in mentioned:
            ids += [REGION_ID, *draw(words)]
    ids += draw(words)
    # A region's values tell which it is: the row's are distinct.
    values = draw(st.lists(st.integers(1, 10**6), min_size=count, max_size=count, unique=True))
    marks = np.array(values, np.float32)
    answer = draw(st.integers(1, len(ids) - 1))
    supervised = [*[IGNORED] * answer, *[max(i, IGNORED) for i in ids[answer:]]]
    return Example(
        input_ids=ids,
        labels=[IGNORED if i < 0 else i for i in supervised] if labels else None,
        pixels=pixels,
        region_boxes=np.tile(marks[:, None], 4) if boxes and count else None,
        region_weights=np.tile(marks[:, None, None], (1, GRID, GRID))
        if not boxes and count
        else None,
        region_tokens=tuple(mentioned),
    )


@st.composite
def batches(draw: Any) -> tuple[list[Example], Arrangement, RegionBatch]:
    boxes, boundaries, labels = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    kind = examples(boxes=boxes, boundaries=boundaries, labels=labels)
    rows = draw(st.lists(kind, min_size=1, max_size=5))
    arrangement = draw(st.sampled_from(get_args(Arrangement)))
    return rows, arrangement, join(rows, PAD, arrangement, normalised)


def places(rows: list[Example], arrangement: Arrangement, columns: int) -> list[int]:
    """The flat position of each token of each row, counted one by one."""
    flat, before = [], 0
    for row, example in enumerate(rows):
        length = len(example.input_ids)
        for column in range(length):
            if arrangement == "packed":
                flat.append(before + column)
            elif arrangement == "right":
                flat.append(row * columns + column)
            else:
                flat.append(row * columns + columns - length + column)
        before += length
    return flat


@given(batches())
def test_every_token_has_its_place(batch: tuple[list[Example], Arrangement, RegionBatch]) -> None:
    rows, arrangement, made = batch
    ids = made["input_ids"]
    tokens = [token for example in rows for token in example.input_ids]
    flat = places(rows, arrangement, ids.shape[1])
    expected = torch.full((ids.numel(),), PAD)
    expected[flat] = torch.tensor(tokens)
    assert torch.equal(ids.flatten(), expected)
    for name, placeholders in (
        ("image_positions", {IMAGE_ID}),
        ("boundary_positions", {IMAGE_START_ID, IMAGE_END_ID}),
        ("region_positions", {REGION_ID}),
    ):
        wanted = [place for place, token in zip(flat, tokens, strict=True) if token in placeholders]
        assert made.get(name, torch.tensor([])).tolist() == wanted, name
    if "attention_mask" in made:
        assert made["attention_mask"].flatten().nonzero().flatten().tolist() == sorted(flat)
    assert ("attention_mask" in made) == (arrangement != "packed" and rows[0].labels is None)


@given(batches())
def test_every_region_token_gets_its_region(
    batch: tuple[list[Example], Arrangement, RegionBatch],
) -> None:
    rows, _, made = batch
    pictured = [example for example in rows if example.pixels is not None]
    assert len(made.get("pixel_values", [])) == len(pictured)
    if not any(example.region_tokens for example in rows):
        assert not {name for name in made if name.startswith("region")}
        return
    wanted, images = [], []
    for number, example in enumerate(pictured):
        regions = example.region_weights if example.region_boxes is None else example.region_boxes
        for region in example.region_tokens:
            assert regions is not None
            wanted.append(regions[region].flat[0])
            images.append(number)
    indices = made["region_indices"]
    if "region_boxes" in made:
        assert made["region_boxes"][indices, 0].tolist() == wanted
        assert made["region_images"][indices].tolist() == images
        boxes = [row.region_boxes for row in pictured]
        some = [number for number, rows in enumerate(boxes) if rows is not None and len(rows)]
        assert made["region_pictures"].tolist() == some
    else:
        weights = made["region_weights"]
        assert weights.shape[0] == len(pictured)
        assert weights.flatten(0, 1)[indices, 0, 0].tolist() == wanted
        assert (indices // weights.shape[1]).tolist() == images


@given(batches())
def test_supervision_is_of_the_next_token_of_the_same_row(
    batch: tuple[list[Example], Arrangement, RegionBatch],
) -> None:
    rows, arrangement, made = batch
    if rows[0].labels is None:
        assert "labels" not in made
        return
    flat = iter(places(rows, arrangement, made["input_ids"].shape[1]))
    expected = []
    for example in rows:
        own = [next(flat) for _ in example.input_ids]
        assert example.labels is not None
        expected += [
            (own[column], example.labels[column + 1])
            for column in range(len(own) - 1)
            if example.labels[column + 1] != IGNORED
        ]
    positions, targets = made["loss_positions"], made["loss_targets"]
    assert list(zip(positions.tolist(), targets.tolist(), strict=True)) == expected
    # The same as transformers' shift, which sees a row of the batch only.
    shifted = made["labels"].roll(-1, 1)
    shifted[:, -1] = IGNORED
    assert (shifted.flatten() != IGNORED).nonzero().flatten().tolist() == positions.tolist()


@settings(max_examples=20)
@given(st.lists(examples(boxes=True, boundaries=False, labels=True), min_size=1, max_size=4))
def test_packed_rows_begin_anew(rows: list[Example]) -> None:
    made = join(rows, PAD, "packed", normalised)
    positions = [column for row in rows for column in range(len(row.input_ids))]
    offsets = [sum(len(row.input_ids) for row in rows[:number]) for number in range(len(rows) + 1)]
    assert made["position_ids"].tolist() == [positions]
    assert made["segment_offsets"].tolist() == offsets
    assert made["segment_offsets"].dtype == torch.int32
    assert not {"position_ids", "segment_offsets"} & set(join(rows, PAD, "right", normalised))


def written(ids: list[int], answer: int) -> Example:
    return Example(input_ids=ids, labels=[IGNORED] * answer + ids[answer:])


def test_what_all_packed_rows_begin_with_is_there_once() -> None:
    first = list(range(10, 19))
    rows = [written([*first, 30, 31, 32], 11), written([*first, IMAGE_ID, 41], 10)]
    made = join(rows, PAD, "packed", normalised)
    assert made["input_ids"].tolist() == [[*first, 30, 31, 32, IMAGE_ID, 41]]
    assert made["position_ids"].tolist() == [[*range(9), 9, 10, 11, 9, 10]]
    assert made["segment_offsets"].tolist() == [0, 9, 12, 14]
    assert made["key_offsets"].tolist() == [0, 9, 21, 32]
    assert made["key_positions"].tolist() == [*range(9), *range(12), *range(9), 12, 13]
    assert made["key_offsets"].dtype == torch.int32
    assert made["key_positions"].dtype == torch.int64
    assert made["loss_positions"].tolist() == [10, 12]
    assert made["loss_targets"].tolist() == [32, 41]


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([written([*range(20)], 15), written([*range(20)], 18)], 14),  # 14 predicts the first label
        ([written([*range(20)], 20), written([*range(12), 50], 13)], 12),
        ([written([*range(20)], 20), written([*range(9)], 9)], 8),  # a row keeps a token
        ([written([*range(20)], 20), written([*range(7), 50, 51], 9)], 0),  # few
        ([written([*range(20)], 15)], 0),
        ([written([*range(9), IMAGE_ID, 3], 11)] * 2, 9),
        ([Example(input_ids=[*range(20)])] * 2, 0),  # not for training
    ],
)
def test_rows_share_what_comes_before_pictures_and_answers(rows: list[Example], count: int) -> None:
    assert shared_tokens(rows) == count
    assert ("key_offsets" in join(rows, PAD, "packed", normalised)) == bool(count)
    assert "key_offsets" not in join(rows, PAD, "right", normalised)


def test_types_and_an_empty_batch() -> None:
    row = Example(
        input_ids=[5, IMAGE_ID, REGION_ID, 6],
        pixels=np.zeros((2, 2, 3), np.uint8),
        region_boxes=np.array([[0.1, 0, 300.7, 2]], np.float32),
        region_tokens=(0,),
    )
    batch = join([row], PAD, "left", normalised)
    floats = {name for name, tensor in batch.items() if tensor.dtype == torch.float32}
    assert floats == {"pixel_values", "region_boxes"}
    assert all(batch[name].dtype == torch.int64 for name in set(batch) - floats)
    with pytest.raises(ValueError, match="no rows"):
        join([], PAD, "left", normalised)


def test_boxes_keep_their_precision_in_bfloat16() -> None:
    boxes = np.array([[0.1, 0, 300.7, 2]], np.float32)
    row = Example(
        input_ids=[5, IMAGE_ID, REGION_ID, 6],
        pixels=np.zeros((2, 2, 3), np.uint8),
        region_boxes=boxes,
        region_tokens=(0,),
    )
    batch = join([row], PAD, "left", normalised).to("cpu", torch.bfloat16)
    assert batch["pixel_values"].dtype == torch.bfloat16
    assert torch.equal(batch["region_boxes"], torch.from_numpy(boxes))
    assert batch["input_ids"].dtype == torch.int64
    moved = join([row], PAD, "left", normalised).to("meta")
    assert all(tensor.device.type == "meta" for tensor in moved.values())
