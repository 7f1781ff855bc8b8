"""Batches of the processor in the models: rows of mixed kinds, packed and padded."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.attention import ATTENTION_NAME
from model.processor import RegionProcessor, processor_for

GREEDY = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None, "max_new_tokens": 5}
KINDS = ["boundaries", "regiongpt"]


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(values)


def region(number: int, bbox: tuple[int, int, int, int]) -> dict[str, Any]:
    return {"region_id": str(number), "bbox": bbox, "mask": None}


def record(name: str, image: Image.Image | None, regions: list[Any], *turns: str) -> dict[str, Any]:
    file = BytesIO()
    if image is not None:
        image.save(file, "PNG")
    roles = ("user", "assistant") * len(turns)
    return {
        "id": name,
        "image": {"bytes": file.getvalue(), "path": f"{name}.png"} if image is not None else None,
        "width": image.width if image else 0,
        "height": image.height if image else 0,
        "regions": regions,
        "messages": [{"role": r, "content": t} for r, t in zip(roles, turns, strict=False)],
    }


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, fresh) -> Any:
    return fresh(request.param)


@pytest.fixture
def processor(model, llama_tokenizer) -> RegionProcessor:
    return processor_for(model.config, llama_tokenizer)


def test_a_mixed_batch_of_prompts_writes_what_its_rows_write(model, processor) -> None:
    images = [picture(1, (40, 70)), None, picture(2, (64, 64)), None]
    texts = [
        "<image>\nWhat is <region2>, and what <region1>? Is <region2> red?",
        "Why is the sky blue?",
        "<image>\nDescribe it.",
        "Name a fruit, please.",
    ]
    regions = [[(0, 0, 30, 30), (35, 10, 70, 40)], [], [], []]
    batch = processor(images=images, text=texts, regions=regions)
    ids = model.generate(**batch, **GREEDY)
    for row, image, text, boxes in zip(ids.tolist(), images, texts, regions, strict=True):
        alone = processor(images=image, text=text, regions=boxes)
        assert model.generate(**alone, **GREEDY)[0].tolist() == row


def test_packed_and_padded_rows_have_one_loss(model, processor) -> None:
    first, second = picture(1, (48, 64)), picture(2, (64, 40))
    boxes = [region(1, (0, 0, 16, 12)), region(2, (20, 8, 60, 40))]
    rows = [
        record("a", first, boxes, "<image>\nWhat is <region2>?", "A star.", "<region1>?", "A dot."),
        record("b", second, boxes[:1], "<image>\nAnd what is <region1>?", "A red circle."),
        record("c", second, [], "<image>\nWhat is this?", "Nothing."),
    ]
    examples = [processor.encode_row(row) for row in rows]
    model.set_attn_implementation(ATTENTION_NAME)
    padded = model(**processor.collate(examples))
    packed = model(**processor.collate(examples, packed=True))
    torch.testing.assert_close(padded.loss, packed.loss)
    torch.testing.assert_close(padded.logits, packed.logits)
    alone = [model(**processor.collate([example])) for example in examples]
    counts = torch.tensor([len(output.logits) for output in alone], dtype=torch.float64)
    losses = torch.stack([output.loss for output in alone])
    torch.testing.assert_close(packed.loss, (losses * counts).sum() / counts.sum())


def test_region_tokens_may_number_none_or_200(model, processor) -> None:
    image = picture(3, (60, 60))
    boxes = [(n % 50, n // 5, n % 50 + 9, n // 5 + 9) for n in range(200)]
    text = "<image>\n" + " ".join(f"<region{n + 1}>" for n in range(200))
    batch = processor(images=image, text=text, regions=boxes)
    rows = model.embed(**{name: batch[name] for name in batch if name != "attention_mask"})
    few = processor(images=image, text="<image>\n<region1>", regions=[boxes[199]])
    region = model.embed(**{name: few[name] for name in few if name != "attention_mask"})
    torch.testing.assert_close(
        rows.flatten(0, 1)[batch["region_positions"][-1]],
        region.flatten(0, 1)[few["region_positions"][0]],
    )
    none = processor(images=image, text="<image>\nHello.", regions=[])
    assert model(**none).logits.isfinite().all()
