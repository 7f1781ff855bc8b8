"""A shard's rows become training batches, and bad rows are named by their id."""

from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from model.batch import shared_tokens
from model.config import IGNORED, IMAGE_ID, REGION_ID
from model.errors import InputError
from model.presets import tiny_regiongpt
from model.processor import RegionProcessor, processor_for
from model.text.errors import RegionMismatch, RowTooLong
from schemas import shard

ANSWERS = ["A red star.", "Two of them."]


@pytest.fixture(params=["box_processor", "mask_processor", "chat_processor"])
def processor(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def triangle() -> Any:
    """A mask of 64 x 48 pixels."""
    return np.add.outer(np.arange(48), np.arange(64)) < 40


def file_of(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def region(number: int, bbox: tuple[float, float, float, float], mask: Any = None) -> Any:
    runs = None
    if mask is not None:
        encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        runs = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    lists: dict[str, Any] = {"captions": [], "attributes": []}
    return {"region_id": str(number), "bbox": bbox, "mask": runs, **lists}


def row(picture: Image.Image, **changes: Any) -> dict[str, Any]:
    """A record as a shard gives it back: through Arrow, in the schema of shards."""
    questions = ["<image>\nWhat is <region2>?", "And <region1>, beside <region2>?"]
    turns = [
        {"role": role, "content": content}
        for pair in zip(questions, ANSWERS, strict=True)
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]
    record = {
        "id": "coco/train/1/multi_task/0",
        "image": {"bytes": file_of(picture), "path": "1.png"},
        "width": 64,
        "height": 48,
        "regions": [region(1, (0, 0, 16, 12)), region(2, (0, 0, 40, 40), triangle())],
        "messages": turns,
    }
    table = pa.Table.from_pylist([record | changes], schema=shard.SCHEMA)
    stored: dict[str, Any] = table.to_pylist()[0]
    return stored


def words(processor: RegionProcessor, labels: list[int]) -> list[str]:
    """The supervised texts, between their stops."""
    answers, current = [], list[int]()
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            current.append(label)
        elif current:
            answers.append(processor.post_process_image_text_to_text(torch.tensor([current]))[0])
            current = []
    return answers


def test_a_row_is_supervised_on_its_answers(processor: Any, picture: Image.Image) -> None:
    example = processor.encode_row(row(picture))
    assert words(processor, example.labels) == ANSWERS
    assert len(example.labels) == len(example.input_ids)
    assert example.input_ids.count(IMAGE_ID) == 16
    assert example.input_ids.count(REGION_ID) == 3
    assert example.region_tokens == (1, 0, 1)
    assert example.dropped_turns == 0


def test_a_row_equals_a_call_about_it(processor: Any, picture: Image.Image) -> None:
    record = row(picture)
    batch = processor.collate([processor.encode_row(record)])
    call = processor.apply_chat_template(
        record["messages"],
        images=picture,
        regions=record["regions"],
        tokenize=True,
        return_dict=True,
    )
    for name in set(call) - {"attention_mask"}:
        assert torch.equal(batch[name], call[name]), name
    assert set(batch) - set(call) == {"labels", "loss_positions", "loss_targets"}


def test_masks_and_boxes_by_choice(mask_processor: RegionProcessor, picture: Image.Image) -> None:
    masks = mask_processor.encode_row(row(picture)).region_weights
    boxes = mask_processor.encode_row(row(picture), region_as="box").region_weights
    assert masks is not None
    assert boxes is not None
    assert np.array_equal(masks[0], boxes[0])  # it has no mask
    area = masks[1].sum() / boxes[1].sum()
    assert area == pytest.approx(triangle().sum() / 1600, rel=1e-4)


def test_turns_too_many_take_their_regions_along(
    mask_processor: RegionProcessor, picture: Image.Image, llama_tokenizer: Any
) -> None:
    whole = mask_processor.encode_row(row(picture))
    length = len(whole.input_ids)
    shorter = processor_for(tiny_regiongpt(), llama_tokenizer, max_length=length - 1)
    example = shorter.encode_row(row(picture))
    assert words(shorter, example.labels or []) == ANSWERS[:1]
    assert example.dropped_turns == 1
    assert example.region_tokens == (0,)  # the second region, now alone
    assert example.region_weights is not None
    assert whole.region_weights is not None
    assert np.array_equal(example.region_weights, whole.region_weights[1:])
    shortest = processor_for(tiny_regiongpt(), llama_tokenizer, max_length=40)
    with pytest.raises(RowTooLong, match="coco/train/1/multi_task/0: its first question"):
        shortest.encode_row(row(picture))


def test_collated_rows_are_padded_on_the_right_or_packed(
    processor: Any, picture: Image.Image
) -> None:
    text: dict[str, Any] = {"image": None, "width": None, "height": None, "regions": []}
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    records = [row(picture, **text, messages=talk), row(picture), row(picture)]
    examples = [processor.encode_row(record) for record in records]
    padded, packed = processor.collate(examples), processor.collate(examples, packed=True)
    assert "attention_mask" not in padded
    assert "attention_mask" not in packed
    lengths = [len(example.input_ids) for example in examples]
    for number, example in enumerate(examples):
        assert padded["input_ids"][number, : lengths[number]].tolist() == example.input_ids
    shared = shared_tokens(examples)  # are there once
    rests = [i for example in examples for i in example.input_ids[shared:]]
    assert packed["input_ids"].tolist() == [examples[0].input_ids[:shared] + rests]
    assert torch.equal(padded["loss_targets"], packed["loss_targets"])
    for name in ("pixel_values", "region_indices"):
        assert torch.equal(padded[name], packed[name])
    for batch in (padded, packed):
        ids = batch["input_ids"].flatten()
        assert (ids[batch["image_positions"]] == IMAGE_ID).all()
        assert (ids[batch["region_positions"]] == REGION_ID).all()
        assert torch.equal(ids[batch["loss_positions"] + 1], batch["loss_targets"])


def test_a_picture_that_is_decoded_already(processor: Any, picture: Image.Image) -> None:
    record = row(picture)
    decoded = processor.encode_row({**record, "image": picture})
    assert np.array_equal(decoded.pixels, processor.encode_row(record).pixels)


def test_a_row_made_by_hand(mask_processor: RegionProcessor, picture: Image.Image) -> None:
    record = row(picture)
    boxes = [region["bbox"] for region in record["regions"]]
    parts = [[{"type": "text", "text": turn["content"]}] for turn in record["messages"]]
    by_hand = {
        "messages": [
            {"role": turn["role"], "content": content}
            for turn, content in zip(record["messages"], parts, strict=True)
        ],
        "image": picture,
        "regions": np.array(boxes),
    }
    example = mask_processor.encode_row(by_hand)
    expected = mask_processor.encode_row(record, region_as="box")
    assert example.labels == expected.labels
    weights: list[Any] = [example.region_weights, expected.region_weights]
    assert np.array_equal(*weights)
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    assert mask_processor.encode_row({"messages": talk}).pixels is None


def test_a_bad_row_made_by_hand(mask_processor: RegionProcessor, picture: Image.Image) -> None:
    with pytest.raises(InputError, match=r"the row: expected the key messages, found \['text'\]"):
        mask_processor.encode_row({"text": "Hi"})
    parts = [{"role": "user", "content": [{"type": "image", "image": picture}]}]
    with pytest.raises(InputError, match="the row: a picture in the messages, expected it under"):
        mask_processor.encode_row({"messages": parts})


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "bytes elsewhere": (
        {"image": {"bytes": None, "path": "train/1.png"}},
        InputError,
        "the bytes of image 'train/1.png' are not in the shard",
    ),
    "damaged": ({"image": {"bytes": b"no", "path": "1.png"}}, InputError, "is no JPEG"),
    "another size": ({"width": 48, "height": 64}, InputError, r"64 x 48.*expected 48 x 64"),
    "no picture": ({"image": None}, InputError, "<image> without a picture"),
    "a region too few": ({"regions": [region(1, (0, 0, 9, 9))]}, RegionMismatch, "<region2>"),
    "a bad box": (
        {"regions": [region(1, (0, 0, 9, 9)), region(2, (9, 9, 1, 1))]},
        InputError,
        "region 2: expected x0 < x1",
    ),
    "another mask": (
        {"regions": [region(1, (0, 0, 9, 9)), region(2, (0, 0, 9, 9), triangle().T)]},
        InputError,
        "region 2: run lengths of a 48 x 64 image",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_by_its_id(
    mask_processor: RegionProcessor, picture: Image.Image, case: str
) -> None:
    changes, kind, message = BAD[case]
    with pytest.raises(kind, match=f"^coco/train/1/multi_task/0: .*{message}"):
        mask_processor.encode_row(row(picture, **changes))
