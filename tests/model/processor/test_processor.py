"""The processor in the hands of a user of transformers."""

import copy
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoProcessor

from model.config import IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID
from model.image_processor import RegionImageProcessor
from model.processor import RegionProcessor
from schemas.errors import RegionForgeError

TEXT = "<image>\nWhat is in <region2> and <region1>, <region2>?"
BOXES = [(0, 0, 16, 12), (32, 12, 64, 48)]
PROCESSORS = ["box_processor", "mask_processor", "chat_processor"]


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def equal(first: Any, second: Any) -> bool:
    return set(first) == set(second) and all(torch.equal(first[key], second[key]) for key in first)


def test_a_batch_of_boxes(box_processor: RegionProcessor, picture: Image.Image) -> None:
    batch = box_processor(images=picture, text=TEXT, regions=BOXES, return_tensors="pt")
    ids = batch["input_ids"][0]
    start = (ids == IMAGE_START_ID).nonzero().item()
    assert ids[start : start + 18].tolist() == [IMAGE_START_ID, *[IMAGE_ID] * 16, IMAGE_END_ID]
    assert batch["boundary_positions"].tolist() == [start, start + 17]
    assert batch["image_positions"].tolist() == list(range(start + 1, start + 17))
    # 64 x 48 pixels are stretched to 56 x 56.
    wanted = [[0, 0, 14, 14], [28, 14, 56, 56]]
    assert batch["region_boxes"].tolist() == wanted
    assert batch["region_images"].tolist() == [0, 0]
    assert batch["region_indices"].tolist() == [1, 0, 1]
    assert ids[batch["region_positions"]].tolist() == [REGION_ID] * 3
    assert batch["attention_mask"].all()


def test_a_batch_of_weights(mask_processor: RegionProcessor, picture: Image.Image) -> None:
    batch = mask_processor(images=picture, text=TEXT, regions=BOXES)
    # 64 x 48 pixels become 56 x 42 with 7 rows of padding; a cell of 16 x 16 has 3.5 pixels.
    expected = torch.zeros(1, 2, 16, 16)
    expected[0, 0, 2:5, 0:4] = 1
    expected[0, 1, 5:14, 8:16] = 1
    assert torch.allclose(batch["region_weights"], expected, atol=1e-6)
    assert "boundary_positions" not in batch


def test_text_is_encoded_around_the_placeholders(box_processor: RegionProcessor) -> None:
    batch = box_processor(text="red star")
    tokenizer = box_processor.tokenizer
    assert batch["input_ids"].tolist() == [tokenizer("red star").input_ids]  # with its BOS
    assert set(batch) == {"input_ids", "attention_mask"}
    assert box_processor.batch_decode(batch["input_ids"]) == ["<s> red star"]
    marked = box_processor(text="<s>red star")
    assert equal(batch, marked)


def test_ragged_rows_equal_rows_alone(processor: Any, picture: Image.Image) -> None:
    mask = np.zeros((48, 64), bool)
    mask[3:40, 5:9] = True
    images = [picture, None, picture.resize((30, 90)), picture]
    texts = [TEXT, "Hello there", "<image>\nA <region1>?", "<image>\nA picture?"]
    regions: list[Any] = [BOXES, None, [(1, 2, 3, 4)], []]
    batch = processor(images=images, text=texts, regions=regions)
    flat_ids, columns = batch["input_ids"].flatten(), batch["input_ids"].shape[1]
    place = {"image_positions": 0, "region_positions": 0, "boundary_positions": 0}
    pictures = region_rows = 0
    for row in range(4):
        alone = processor(images=images[row], text=texts[row], regions=regions[row])
        length = alone["input_ids"].shape[1]
        offset = row * columns + columns - length
        assert torch.equal(flat_ids[offset : offset + length], alone["input_ids"][0])
        assert batch["attention_mask"][row].tolist() == [0] * (columns - length) + [1] * length
        for name in place:
            count = len(alone.get(name, []))
            if count:
                part = batch[name][place[name] : place[name] + count]
                assert (part - offset).tolist() == alone[name].tolist()
            place[name] += count
        if "pixel_values" not in alone:
            continue
        assert torch.equal(batch["pixel_values"][pictures], alone["pixel_values"][0])
        mentions = len(alone.get("region_indices", []))
        indices = batch["region_indices"][region_rows : region_rows + mentions]
        if "region_boxes" in alone:
            assert torch.equal(
                batch["region_boxes"][indices], alone["region_boxes"][alone["region_indices"]]
            )
            assert set(batch["region_images"][indices].tolist()) == {pictures}
        elif mentions:
            assert torch.equal(
                batch["region_weights"].flatten(0, 1)[indices],
                alone["region_weights"][0][alone["region_indices"]],
            )
        pictures, region_rows = pictures + 1, region_rows + mentions
    right = processor(images=images, text=texts, regions=regions, padding_side="right")
    assert right["attention_mask"][1].tolist() == sorted(batch["attention_mask"][1].tolist())[::-1]


def test_saved_and_loaded_to_the_same_bits(
    processor: Any, picture: Image.Image, tmp_path: Path
) -> None:
    def made(by: Any) -> Any:
        regions = [BOXES, []]
        return by(images=[picture, picture], text=[TEXT, "<image>"], regions=regions)

    def chat(by: Any) -> Any:
        messages = [{"role": "user", "content": TEXT}]
        return by.apply_chat_template(messages, add_generation_prompt=True)

    processor.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "chat_template.jinja",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    for loaded in (
        AutoProcessor.from_pretrained(tmp_path),
        RegionProcessor.from_pretrained(tmp_path),
        pickle.loads(pickle.dumps(processor)),
        copy.deepcopy(processor),
    ):
        assert isinstance(loaded, RegionProcessor)
        assert equal(made(processor), made(loaded))
        assert loaded.to_dict() == processor.to_dict()
        assert chat(loaded) == chat(processor)
        assert loaded.stopping().keys() == processor.stopping().keys()
    pictures = AutoImageProcessor.from_pretrained(tmp_path)
    assert isinstance(pictures, RegionImageProcessor)
    assert RegionProcessor.from_pretrained(tmp_path, max_length=99).max_length == 99


def test_no_region_and_two_hundred(processor: Any, picture: Image.Image) -> None:
    none = processor(images=picture, text="<image>\nHello", regions=[])
    assert not {name for name in none if name.startswith("region")}
    assert equal(none, processor(images=picture, text="<image>\nHello"))
    boxes = [(x, y, x + 3, y + 2) for x in range(20) for y in range(10)]
    numbers = list(range(200, 0, -1))
    text = "<image>\n" + " ".join(f"<region{number}>" for number in numbers)
    batch = processor(images=picture, text=text, regions=boxes)
    assert batch["region_indices"].tolist() == [number - 1 for number in numbers]
    if "region_boxes" in batch:
        assert batch["region_boxes"].shape == (200, 4)
    else:
        assert (batch["region_weights"].sum((2, 3)) > 0).all()


def test_regions_of_a_turned_photograph_are_in_the_upright_frame(
    mask_processor: RegionProcessor, picture: Image.Image
) -> None:
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = 6  # shown turned by 90 degrees to the right: 48 wide, 64 high
    picture.save(file, "PNG", exif=exif)
    upright = picture.transpose(Image.Transpose.ROTATE_270)
    text, box = "<image>\nA <region1>?", [(8, 40, 48, 64)]  # beyond the stored height of 48
    stored = mask_processor(images=file.getvalue(), text=text, regions=box)
    assert equal(stored, mask_processor(images=upright, text=text, regions=box))


def test_a_record_chooses_box_or_mask(
    mask_processor: RegionProcessor, picture: Image.Image
) -> None:
    mask = np.zeros((48, 64), bool)
    mask[20:24, 20:24] = True
    record = {"bbox": (0, 0, 64, 48), "mask": mask}
    text = "<image>\nA <region1>?"

    def weights(region: Any, **options: Any) -> torch.Tensor:
        batch = mask_processor(images=picture, text=text, regions=[region], **options)
        weights: torch.Tensor = batch["region_weights"]
        return weights

    assert torch.equal(weights(record), weights(mask))
    assert torch.equal(weights(record, region_as="mask"), weights(mask))
    assert torch.equal(weights(record, region_as="box"), weights((0, 0, 64, 48)))


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "region without regions": ({"text": "<image> <region1>"}, "row 0: <region1>.*none"),
    "a number too large": (
        {"text": "<image> <region1> <region3>", "regions": [BOXES[0], BOXES[1]]},
        "row 0: <region3> is mentioned, expected numbers from 1 to 2",
    ),
    "a region never mentioned": (
        {"text": "<image> <region1>", "regions": BOXES},
        "row 0: <region2> is not mentioned",
    ),
    "no picture": ({"images": None, "text": "<image>"}, "row 0: <image> without a picture"),
    "no token": ({"text": "Hello"}, "row 0: a picture, and no <image>"),
    "two tokens": ({"text": "<image><image>"}, "row 0: 2 times <image>"),
    "two pictures": ({"images": ["a.jpg", "b.jpg"], "text": "<image>"}, "row 0: 2 pictures"),
    "regions without a picture": (
        {"images": None, "text": "<region1>", "regions": [BOXES[0]]},
        "row 0: 1 regions without a picture",
    ),
    "fewer pictures": (
        {"images": ["a.jpg"], "text": ["<image>", "<image>"]},
        "2 texts and 1 images",
    ),
    "a picture for many": ({"text": ["<image>", "Hello"]}, "expected a list of as many images"),
    "more regions": (
        {"images": None, "text": ["a", "b"], "regions": [[], [], []]},
        "2 texts and 3 lists of regions",
    ),
    "no texts": ({"images": None, "text": []}, "no rows"),
    "numbers": ({"text": [1, 2]}, "expected a text or a list of texts, found list"),
    "regions without text": ({"text": None, "regions": BOXES}, "expected a text with the pictures"),
    "one box, not a list": (
        {"text": "<image> <region1>", "regions": BOXES[0]},
        r"row 0: expected a list of regions, e.g. \[\(x0.*the numbers \(0, 0,",
    ),
    "a box as a tensor": (
        {"text": ["<image> <region1>"], "images": [None], "regions": [torch.tensor(BOXES[0])]},
        r"row 0: expected a list of regions, e.g. \[\(x0.*the numbers tensor",
    ),
    "a dict": (
        {"text": "<image>", "regions": {"bbox": BOXES[0]}},
        "row 0: expected a list of regions",
    ),
    "outside": (
        {"text": "<image> <region1> <region2>", "regions": [BOXES[0], (99, 0, 120, 9)]},
        r"row 0: region 2: .*no part in a 64 x 48 image",
    ),
    "an address": ({"images": "https://e.org/a.jpg", "text": "<image>"}, "row 0: .*is an address"),
    "too long": ({"text": "<image>" + "x" * 3000}, r"row 0: \d+ tokens, expected 2048 at most"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_named(processor: Any, picture: Image.Image, case: str) -> None:
    arguments, message = CASES[case]
    with pytest.raises(RegionForgeError, match=message):
        processor(**({"images": picture} | arguments))


def test_bad_options_are_named(processor: Any, picture: Image.Image) -> None:
    for option, message in (
        ({"return_tensors": "np"}, "return_tensors is 'np', expected 'pt'"),
        ({"padding_side": "top"}, "padding_side is 'top', expected 'left' or 'right'"),
        ({"region_as": "polygon"}, "region_as is 'polygon'"),
    ):
        with pytest.raises(ValueError, match=message):
            processor(text="Hello", **option)
    with pytest.raises(TypeError, match="unexpected argument 'truncation'"):
        processor(text="Hello", truncation=True)
    with pytest.raises(TypeError, match="unexpected argument 'boxes', expected region_as"):
        processor(images=picture, text="<image> <region1>", boxes=BOXES)
    with pytest.raises(ValueError, match="different lengths without padding"):
        processor(text=["Hello", "Hello there"], padding=False)
    assert len(processor(text=["Hello", "Hello"], padding=False)["input_ids"]) == 2


def test_pictures_alone(processor: Any, picture: Image.Image) -> None:
    batch = processor(images=[picture, picture])
    assert set(batch) == {"pixel_values"}
    whole = processor(images=picture, text="<image>")
    assert torch.equal(batch["pixel_values"][1:], whole["pixel_values"])
