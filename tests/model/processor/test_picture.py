"""Pictures in every usual form become the same upright RGB pixels, and bad ones are named."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from model import picture as module
from model.errors import InputError
from model.picture import Picture, read_picture

RED, GREEN = (250, 10, 20), (10, 200, 30)


def halves() -> Image.Image:
    """A picture of 6 x 4 pixels, red on the left and green on the right."""
    image = Image.new("RGB", (6, 4), RED)
    image.paste(GREEN, (3, 0, 6, 4))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


def test_every_form_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "halves.png"
    path.write_bytes(encoded(halves()))
    forms: list[Picture] = [
        halves(),
        np.asarray(halves()),
        encoded(halves()),
        bytearray(encoded(halves())),
        memoryview(encoded(halves())),
        path,
        str(path),
        Image.open(path),  # not decoded yet
    ]
    for form in forms:
        assert np.array_equal(pixels(read_picture(form)), pixels(halves())), type(form)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright_in_every_form(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(halves(), exif=exif)
    upright = pixels(ImageOps.exif_transpose(Image.open(BytesIO(data))))
    assert np.array_equal(pixels(read_picture(data)), upright)
    shown = read_picture(Image.open(BytesIO(data)))
    assert np.array_equal(pixels(shown), upright)
    assert np.array_equal(pixels(read_picture(shown)), upright)  # not turned again


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_picture_is_not_turned_where_its_regions_are_in_the_stored_frame(
    orientation: int,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(halves(), exif=exif)
    upright, stored = read_picture(data), halves().size
    assert stored[0] != stored[1]
    assert np.array_equal(pixels(read_picture(data, upright.size)), pixels(upright))
    kept = halves() if orientation == 6 else upright  # half a turn changes no size
    shown = read_picture(data, stored)
    assert np.array_equal(pixels(shown), pixels(kept))
    assert np.array_equal(pixels(read_picture(shown)), pixels(kept))  # not turned later either


def test_a_picture_with_unreadable_metadata_is_taken_as_it_stands() -> None:
    data = encoded(halves(), exif=b"rubbish!")
    with Image.open(BytesIO(data)) as image, pytest.raises(SyntaxError):
        image.getexif()
    assert np.array_equal(pixels(read_picture(data)), pixels(halves()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (4, 4), 255).convert(mode)
    shown = read_picture(grey)
    assert shown.mode == "RGB"
    assert pixels(shown).min() >= 254


def test_transparency_is_dropped_without_a_warning() -> None:
    image = halves().convert("RGBA")
    image.putalpha(0)
    assert np.array_equal(pixels(read_picture(encoded(image))), pixels(halves()))
    palette = encoded(
        halves().convert("P", palette=Image.Palette.ADAPTIVE), transparency=b"\x00\x7f"
    )
    assert read_picture(palette).getpixel((0, 0)) == pytest.approx(RED, abs=3)


def test_grey_and_transparent_arrays() -> None:
    grey = np.full((3, 5), 7, np.uint8)
    assert np.array_equal(pixels(read_picture(grey)), np.full((3, 5, 3), 7))
    assert np.array_equal(pixels(read_picture(grey[:, :, None])), np.full((3, 5, 3), 7))
    rgba = np.full((3, 5, 4), 9, np.uint8)
    assert np.array_equal(pixels(read_picture(rgba)), np.full((3, 5, 3), 9))


def animated() -> bytes:
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 90, 255)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def many_scans() -> bytes:
    data = encoded(Image.new("L", (8, 8)), "JPEG")
    start = data.index(b"\xff\xda")
    return data[:start] + data[start:-2] * 101 + data[-2:]


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "address": (lambda: "https://example.org/cat.jpg", "is an address: fetch the picture first"),
    "data address": (lambda: "data:image/png;base64,iVBOR", "is an address"),
    "no file": (lambda: "/nowhere/cat.jpg", "cannot be read: No such file"),
    "folder": (lambda: Path("/"), "cannot be read"),
    "device": (lambda: "/dev/zero", "cannot be read: it is not a regular file"),
    "null in a name": (lambda: "a\0b", "cannot be read"),
    "text": (lambda: b"no picture", "is no JPEG, PNG, GIF, WEBP or BMP file"),
    "nothing": (lambda: b"", "is no JPEG"),
    "cut": (lambda: encoded(halves().resize((90, 90)), "JPEG")[:-400], "damaged.*truncated"),
    "another format": (lambda: encoded(halves(), "TIFF"), "is no JPEG"),
    "frames": (animated, "GIF of several frames, expected a still picture"),
    "scans": (many_scans, "101 scans, at most 100"),
    "16 bits": (lambda: Image.new("I;16", (4, 4)), "mode I;16, expected 8 bits a channel"),
    "floats": (lambda: np.zeros((4, 4, 3)), r"float64 of shape \[4, 4, 3\]"),
    "channels first": (lambda: np.zeros((3, 8, 8), np.uint8), r"uint8 of shape \[3, 8, 8\]"),
    "no pixels": (lambda: np.zeros((0, 8, 3), np.uint8), r"shape \[0, 8, 3\]"),
    "empty image": (lambda: Image.new("RGB", (0, 4)), "0 x 4 pixels"),
    "a number": (lambda: 7, "found int"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_picture_is_named(case: str) -> None:
    make, message = BAD[case]
    with pytest.raises(InputError, match=message):
        read_picture(make())  # type: ignore[arg-type]


def test_the_limits_are_checked_before_decoding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, path = encoded(halves()), tmp_path / "halves.png"
    path.write_bytes(data)
    monkeypatch.setattr(module, "MAX_IMAGE_PIXELS", 23)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # decoding would raise TypeError
    with pytest.raises(InputError, match="6 x 4 pixels, at most 23"):
        read_picture(data)
    monkeypatch.setattr(module, "MAX_IMAGE_BYTES", 10)
    with pytest.raises(InputError, match="at most 10"):
        read_picture(data)
    with pytest.raises(InputError, match=r"halves\.png: at most 10 bytes"):
        read_picture(path)


def test_a_bomb_is_refused() -> None:
    header = encoded(Image.new("1", (9000, 9000)))  # 81 million pixels in some kilobytes
    with pytest.raises(InputError, match="9000 x 9000 pixels, at most 80000000"):
        read_picture(header)


REAL = {
    "exif_orientation_6_Landscape_6.jpg": (1800, 1200),  # stored as 1200 x 1800
    "hopper.gif": (128, 128),
    "hopper_gray.jpg": (128, 128),
    "hopper_orientation_6.jpg": (128, 128),
    "invalid-exif.jpg": None,
    "pil_sample_cmyk.jpg": None,
}


@pytest.mark.parametrize("name", REAL)
def test_real_awkward_pictures(name: str, samples: Path) -> None:
    path = samples / "awkward_images" / name
    shown = read_picture(path)
    with Image.open(path) as stored:
        expected = stored.convert("RGB")
        if "orientation_6" in name:
            expected = expected.transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(pixels(shown), pixels(expected))
    assert REAL[name] in (None, shown.size)


def test_a_real_truncated_picture(samples: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_picture(samples / "awkward_images" / "truncated_jpeg.jpg")
