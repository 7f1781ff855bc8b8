"""Preview: pictures as the page holds them."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.preview.picture import picture_uri
from pipelines.sample_world.draw import draw, jpeg_bytes
from pipelines.sample_world.scene import make_scene

WIDE = draw(make_scene("preview", width=1600, height=1200, things=3))
SMALL = WIDE.resize((80, 60))


def shown(record: dict[str, Any], image_root: str | None = None) -> Image.Image:
    uri = picture_uri(record, image_root)
    assert uri.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def embedded(data: bytes, size: tuple[int, int]) -> dict[str, Any]:
    return {"image": {"bytes": data, "path": "p.jpg"}, "width": size[0], "height": size[1]}


def difference(first: Image.Image, second: Image.Image) -> float:
    """Mean over pixels and channels, in levels of 255."""
    assert first.size == second.size
    return float(np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean())


def test_pictures_are_reduced_and_keep_their_look():
    reduced = shown(embedded(jpeg_bytes(WIDE), WIDE.size))
    assert reduced.size == (960, 720)
    assert difference(reduced, WIDE.resize((960, 720), Image.Resampling.LANCZOS)) < 4


@pytest.mark.parametrize("mode", ["L", "CMYK", "P"])
def test_pictures_of_any_mode_are_shown(mode):
    image = SMALL.quantize(64, dither=Image.Dither.NONE) if mode == "P" else SMALL.convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert difference(shown(embedded(out.getvalue(), SMALL.size)), image.convert("RGB")) < 6


def test_clear_pixels_are_white():
    image, out = Image.new("RGBA", (80, 60), (255, 0, 0, 0)), io.BytesIO()
    image.save(out, "PNG")
    assert (
        difference(shown(embedded(out.getvalue(), (80, 60))), Image.new("RGB", (80, 60), "white"))
        < 2
    )


@pytest.mark.parametrize(("size", "turned"), [((80, 60), False), ((60, 80), True)])
def test_pictures_referred_to_stand_as_their_boxes_do(tmp_path, size, turned):
    (tmp_path / "p.jpg").write_bytes(jpeg_bytes(SMALL, orientation=6))
    record = {"image": {"bytes": None, "path": "p.jpg"}, "width": size[0], "height": size[1]}
    picture = shown(record, str(tmp_path))
    assert not picture.getexif()
    assert difference(picture, SMALL.transpose(Image.Transpose.ROTATE_270) if turned else SMALL) < 6
