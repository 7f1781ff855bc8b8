"""Pictures for captioners and scorers: crops of upright pictures, at turned boxes."""

import asyncio
import io
import struct
import warnings
import zlib
from dataclasses import replace as with_changes
from hashlib import sha256

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.views import (
    CropOptions,
    ImageView,
    LazyImageView,
    PictureRefused,
    read_picture,
    view_image,
)
from schemas.rejection import Reason
from schemas.sample import Region, ScreenedImage

WIDTH, HEIGHT = 96, 64  # of the upright picture
RED, GREEN, GREY = (210, 30, 30), (30, 180, 30), (128, 128, 128)
BOXES = {"red": (8, 8, 40, 24), "green": (56, 32, 88, 56)}  # in its frame
# EXIF orientation to what makes of an upright picture the pixels that are stored (TIFF 6.0).
STORED = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels.transpose(1, 0, 2)[::-1],
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels.transpose(1, 0, 2)[:, ::-1],
}


def scene() -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    for (x0, y0, x1, y1), colour in zip(BOXES.values(), (RED, GREEN), strict=True):
        pixels[y0:y1, x0:x1] = colour
    return pixels


def visible_boxes(pixels: np.ndarray) -> dict[str, tuple[int, int, int, int]]:
    """Where the colours lie, seen on the pixels themselves."""
    boxes = {}
    for name, colour in (("red", RED), ("green", GREEN)):
        rows, columns = np.nonzero((pixels == colour).all(axis=2))
        boxes[name] = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return boxes


def as_jpeg(pixels: np.ndarray, orientation: int) -> bytes:
    room, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        room, "JPEG", quality=95, subsampling=0, exif=exif
    )
    return room.getvalue()


def colour_of(jpeg: bytes | None, box: list[float] | None = None) -> tuple[int, ...]:
    """The colour of a picture, or of the inner part of a box in it, that has only one."""
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    if box is not None:
        x0, y0, x1, y1 = map(int, box)
        pixels = pixels[y0 + 9 : y1 - 9, x0 + 9 : x1 - 9]
    assert np.ptp(pixels.reshape(-1, 3), axis=0).max() < 40
    return tuple(pixels.reshape(-1, 3).mean(axis=0))


def size_of(jpeg: bytes | None) -> tuple[int, int]:
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


@pytest.fixture
def options(tmp_path) -> CropOptions:
    return CropOptions(folder=str(tmp_path), context=0.0, max_pixels=512 * 512, scored=True)


@pytest.fixture
def saved(tmp_path, make_image):
    """Writes a picture and returns its image with annotated regions."""

    def save(data: bytes, boxes, width: int, height: int) -> ScreenedImage:
        (tmp_path / "7.jpg").write_bytes(data)
        image = make_image(width=width, height=height, size_bytes=len(data))
        regions = [
            Region(name, (float(x0), float(y0), float(x1), float(y1)), category=f"{name}_box")
            for name, (x0, y0, x1, y1) in boxes.items()
        ]
        return ScreenedImage(image, tuple(regions))

    return save


def shown(screened: ScreenedImage, options: CropOptions) -> ImageView:
    """The view of a picture that was saved."""
    return view_image(screened, options, read_picture(screened.image, options.folder))


# Where both frames have one size, annotations are taken for those of the stored pixels.
FRAMES = [(turn, "stored") for turn in STORED] + [(turn, "upright") for turn in (5, 6, 7, 8)]


@pytest.mark.parametrize(("orientation", "frame"), FRAMES)
def test_crops_are_upright(saved, options, orientation, frame) -> None:
    upright = scene()
    stored = STORED[orientation](upright)
    annotated = stored if frame == "stored" else upright
    height, width, _ = annotated.shape
    screened = saved(as_jpeg(stored, orientation), visible_boxes(annotated), width, height)
    view = shown(screened, options)
    assert size_of(view.prompt_image.jpeg) == (WIDTH, HEIGHT)
    whole = view.prompt_image.target
    assert whole is not None
    assert (whole.width, whole.height, whole.region) == (WIDTH, HEIGHT, None)
    for name, colour in (("red", RED), ("green", GREEN)):
        region, (x0, y0, x1, y1) = view.regions[name], BOXES[name]
        target = region.prompt_image.target
        assert target is not None
        assert target.region is not None
        assert target.region.bbox == pytest.approx(BOXES[name])
        assert target.region.category == f"{name} box"
        assert target.region in target.regions
        assert size_of(region.clip_crop) == (x1 - x0, y1 - y0)
        assert colour_of(region.clip_crop) == pytest.approx(colour, abs=12)
        # Widened to 64 by 64 pixels, as far as the picture reaches, and enlarged.
        assert size_of(region.prompt_image.jpeg) == (224, 224)
        left, top = min(max((x0 + x1) // 2 - 32, 0), WIDTH - 64), 0
        box = [3.5 * value for value in (x0 - left, y0 - top, x1 - left, y1 - top)]
        assert colour_of(region.prompt_image.jpeg, box) == pytest.approx(colour, abs=12)


def test_context_is_for_the_captioner_alone(saved, options) -> None:
    screened = saved(as_jpeg(scene(), 1), BOXES, WIDTH, HEIGHT)
    view = shown(screened, with_changes(options, context=0.25))
    other = shown(screened, options)
    assert size_of(view.regions["red"].clip_crop) == (32, 16)
    wide, near = (each.regions["green"].prompt_image.jpeg for each in (view, other))
    assert size_of(wide) == size_of(near) == (224, 224), "both are widened to 64 pixels"
    wider = shown(screened, with_changes(options, context=0.75))
    assert size_of(wider.regions["red"].prompt_image.jpeg) == (224, 224)
    widest = shown(screened, with_changes(options, context=1.0))
    assert size_of(widest.regions["green"].prompt_image.jpeg) == (252, 224), "72 by 64 pixels"


def test_pictures_are_small_enough(saved, options) -> None:
    screened = saved(as_jpeg(scene(), 1), BOXES, WIDTH, HEIGHT)
    view = shown(screened, with_changes(options, max_pixels=400))
    images = [view.prompt_image, *(region.prompt_image for region in view.regions.values())]
    for image in images:
        width, height = size_of(image.jpeg)
        assert width * height <= 400


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encoded(kind: str, mode: str = "RGB", **settings) -> bytes:
    room = io.BytesIO()
    Image.fromarray(scene()).convert(mode).save(room, kind, **settings)
    return room.getvalue()


def transparent_palette() -> bytes:
    """A PNG of a palette with an alpha of its own for each entry."""
    data = encoded("PNG", "P")
    begin = data.index(b"IDAT") - 4
    return data[:begin] + chunk(b"tRNS", bytes(range(200))) + data[begin:]


UNUSUAL = {
    "grayscale": lambda: encoded("JPEG", "L"),
    "CMYK": lambda: encoded("JPEG", "CMYK"),
    "a broken EXIF block": lambda: encoded("JPEG", exif=b"Exif\0\0MM\0*"),
    "an EXIF block that is cut": lambda: encoded("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01"),
    "palette": lambda: encoded("PNG", "P"),
    "transparent palette": transparent_palette,
    "transparent": lambda: encoded("PNG", "RGBA"),
    "bilevel": lambda: encoded("PNG", "1"),
    "GIF": lambda: encoded("GIF", "P"),
    "WEBP": lambda: encoded("WEBP"),
    "BMP": lambda: encoded("BMP"),
    "MPO": lambda: encoded("MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]),
    "a PNG with cut EXIF": lambda: encoded("PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_pictures_are_shown(saved, options, name) -> None:
    screened = saved(UNUSUAL[name](), BOXES, WIDTH, HEIGHT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = shown(screened, options)
    assert size_of(view.prompt_image.jpeg) == (WIDTH, HEIGHT)
    assert size_of(view.regions["red"].clip_crop) == (32, 16)


def refusal(screened: ScreenedImage, options: CropOptions) -> Reason:
    with pytest.raises(PictureRefused) as refused:
        shown(screened, options)
    return refused.value.cause.reason


def test_pictures_that_cannot_be_shown(saved, options, tmp_path) -> None:
    screened = saved(as_jpeg(scene(), 1), BOXES, WIDTH, HEIGHT)
    other = replace(screened, image=replace(screened.image, width=WIDTH + 1))
    assert refusal(other, options) is Reason.IMAGE_SIZE_MISMATCH
    picture = tmp_path / "7.jpg"
    picture.write_bytes(picture.read_bytes()[:-200])
    assert refusal(screened, options) is Reason.IMAGE_TRUNCATED
    picture.unlink()
    assert refusal(screened, options) is Reason.IMAGE_MISSING
    picture.mkdir()
    assert refusal(screened, options) is Reason.IMAGE_UNREADABLE


def test_a_picture_is_read_when_it_is_needed_and_once(saved, options, tmp_path) -> None:
    screened = saved(as_jpeg(scene(), 1), BOXES, WIDTH, HEIGHT)
    picture = tmp_path / "7.jpg"
    content = picture.read_bytes()
    picture.unlink()

    async def run() -> None:
        view = LazyImageView(screened, options)
        picture.write_bytes(content)
        views = await asyncio.gather(*(view.get() for _ in range(3)))
        picture.unlink()
        assert all(each is views[0] for each in [*views, await view.get()])
        assert await view.digest() == sha256(content).hexdigest()[:16]

    asyncio.run(run())


def test_a_picture_waits_for_its_turn_to_be_cut_up(saved, options) -> None:
    screened = saved(as_jpeg(scene(), 1), BOXES, WIDTH, HEIGHT)

    async def run() -> None:
        turn = asyncio.Semaphore(1)
        async with turn:
            work = asyncio.create_task(LazyImageView(screened, options, turn).get())
            assert not (await asyncio.wait([work], timeout=0.2))[0]
        assert (await work).regions.keys() == BOXES.keys()

    asyncio.run(run())
