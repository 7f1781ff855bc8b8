"""The model's picture equals transformers' own, and lies where its frame says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPImageProcessor, SiglipImageProcessor

from model import image_processor as module
from model.errors import InputError
from model.frame import Frame
from model.image_processor import RegionImageProcessor
from model.presets import gpt4roi_7b, regiongpt_7b, regiongpt_siglip_l384, tiny_regiongpt
from model.regiongpt.coverage import box_coverage

LEVEL = 1 / 255 / 0.26  # transformers resizes with torchvision, which rounds differently


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def centred(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The picture on a square canvas, written as LLaVA describes it."""
    side = max(picture.size)
    canvas = np.full((side, side, 3), colour, np.uint8)
    left, top = (side - picture.width) // 2, (side - picture.height) // 2
    canvas[top : top + picture.height, left : left + picture.width] = np.asarray(picture)
    return Image.fromarray(canvas)


def by_transformers(reference: Any, picture: Image.Image) -> NDArray[np.float32]:
    made: NDArray[np.float32] = reference(picture, return_tensors="np")["pixel_values"][0]
    return made


TOWERS = [
    (regiongpt_7b, CLIPImageProcessor, 336, (122, 116, 104)),
    (regiongpt_siglip_l384, SiglipImageProcessor, 384, (127, 127, 127)),
    (gpt4roi_7b, CLIPImageProcessor, 224, None),
]


@pytest.mark.parametrize(("preset", "kind", "side", "colour"), TOWERS)
def test_pictures_equal_those_of_transformers(
    preset: Any, kind: Any, side: int, colour: tuple[int, int, int] | None
) -> None:
    processor = RegionImageProcessor.from_config(preset())
    size = {"height": side, "width": side}
    reference = kind(size=size, do_center_crop=False, resample=Image.Resampling.BICUBIC)
    square = noise(side, side)
    assert np.array_equal(processor.fit(square)[0], by_transformers(reference, square))
    for width, height in ((640, 480), (231, 500), (90, 90), (1, 40)):
        picture = noise(width, height)
        prepared = picture if colour is None else centred(picture, colour)
        ours, theirs = processor.fit(picture)[0], by_transformers(reference, prepared)
        assert np.abs(ours - theirs).max() <= 2.1 * LEVEL, (width, height)


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90))
def test_padding_equals_padding_first(width: int, height: int) -> None:
    picture = noise(width, height)
    made = module._padded(picture, 56, (9, 8, 7))
    canvas = centred(picture, (9, 8, 7)).resize((56, 56), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(made), np.asarray(canvas))


def test_a_very_tall_picture_is_padded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(8, 60).resize((40, 300), Image.Resampling.BICUBIC)
    usual = np.asarray(module._padded(picture, 56, (9, 8, 7)), np.int16)
    monkeypatch.setattr(module, "MAX_IMAGE_PIXELS", 0)
    other = np.asarray(module._padded(picture, 56, (9, 8, 7)), np.int16)
    assert 0 < np.abs(usual - other).max() < 32  # what is rounded between the two passes
    assert np.abs(usual - other).mean() < 0.5


@pytest.mark.parametrize("size", [(65_500, 1), (1, 65_500)])
def test_no_picture_needs_a_large_canvas(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, new = [], Image.new

    def counted(mode: str, shape: tuple[int, int], *colour: Any) -> Image.Image:
        made.append(shape[0] * shape[1])
        return new(mode, shape, *colour)

    monkeypatch.setattr(Image, "new", counted)
    picture = new("RGB", size, (255, 255, 255))
    pixels, _ = RegionImageProcessor.from_config(tiny_regiongpt()).fit(picture)
    assert pixels.shape == (3, 56, 56)
    assert max(made) <= 56 * 65_500


def test_real_pictures_equal_those_of_transformers(samples: Path) -> None:
    processor = RegionImageProcessor.from_config(regiongpt_7b())
    reference = CLIPImageProcessor(size={"height": 336, "width": 336}, do_center_crop=False)
    pictures = sorted((samples / "coco" / "tinycoco" / "images").rglob("*.jpg"))[:6]
    sizes = set()
    for path in pictures:
        with Image.open(path) as file:
            picture = file.convert("RGB")
        sizes.add(picture.size)
        theirs = by_transformers(reference, centred(picture, (122, 116, 104)))
        assert np.abs(processor.fit(picture)[0] - theirs).max() <= 1.1 * LEVEL, path.name
    assert len(sizes) > 2


@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize("size", [(640, 480), (333, 777), (200, 200)])
def test_the_frame_says_where_a_rectangle_lies(fit: Any, size: tuple[int, int]) -> None:
    """White in a black picture: each cell is as bright as the share of it that the box covers."""
    width, height = size
    box = (width // 5, height // 7, width * 3 // 4, height // 2)
    picture = Image.new("RGB", size)
    picture.paste((255, 255, 255), box)
    processor = RegionImageProcessor(336, fit, 14, (0, 0, 0), (1, 1, 1))
    pixels, frame = processor.fit(picture)
    brightness = pixels[0].reshape(24, 14, 24, 14).mean(axis=(1, 3))
    x0, y0, x1, y1 = map(float, box)
    share = box_coverage((x0, y0, x1, y1), frame, 24).cells
    assert np.abs(brightness - share).max() < 0.05
    assert share.max() == 1


def test_frames_are_those_of_the_fit() -> None:
    picture = noise(64, 48)
    assert RegionImageProcessor(56, "pad", 14).fit(picture)[1] == Frame.padded(64, 48, 56, 14)
    assert RegionImageProcessor(56, "stretch", 14).fit(picture)[1] == Frame.stretched(
        64, 48, 56, 14
    )


def test_the_canvas_has_the_mean_colour() -> None:
    pixels, _ = RegionImageProcessor.from_config(regiongpt_7b()).fit(noise(400, 100))
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    corner = pixels[:, 0, 0] * np.array(deviation) + np.array(mean)
    assert corner * 255 == pytest.approx([122, 116, 104], abs=1e-3)


def test_a_call_like_transformers() -> None:
    processor = RegionImageProcessor(56, "pad", 14)
    batch = processor([noise(64, 48), np.zeros((9, 9), np.uint8)], return_tensors="pt")
    assert tuple(batch["pixel_values"].shape) == (2, 3, 56, 56)
    alone = processor(noise(64, 48), return_tensors="np")["pixel_values"]
    assert np.array_equal(alone[0], batch["pixel_values"][0].numpy())
    with pytest.raises(InputError, match=r"picture 1: .*found int"):
        processor([noise(4, 4), 7])
    with pytest.raises(TypeError, match="do_resize"):
        processor(noise(4, 4), do_resize=False)


def test_saved_and_loaded(tmp_path: Path) -> None:
    processor = RegionImageProcessor.from_config(regiongpt_siglip_l384())
    processor.save_pretrained(tmp_path)
    loaded = RegionImageProcessor.from_pretrained(tmp_path)
    assert loaded.to_dict() == processor.to_dict()
    assert loaded.grid == 24
    with pytest.raises(ValueError, match="image_fit is 'crop'"):
        RegionImageProcessor(image_fit="crop")  # type: ignore[arg-type]
