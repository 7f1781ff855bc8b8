"""`inspect` says of a picture what its readers see; `upright` makes what they need not turn.

Length: the pictures are made once and serve every test here.
"""

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from schemas.limits import MAX_IMAGE_PIXELS
from schemas.rejection import Reason
from transforms.picture import Picture, PictureError, inspect, upright

SIZE = (40, 24)  # width, height in pixels
UPRIGHT = Picture(width=40, height=24, orientation=1, untouched=True)


def picture(mode: str = "RGB", seed: int = 0) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(0, 256, 6 * 10 * channels, dtype=np.uint8)
    picture = Image.frombytes(mode, (10, 6), values.tobytes())
    return picture.resize(SIZE, Image.Resampling.NEAREST)


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def frames(kind: str) -> bytes:
    return encoded(picture(), kind, save_all=True, append_images=[picture(seed=1)])


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[Base.Orientation] = orientation
    tags[Base.Make] = "maker"
    return tags


def tiff(kind: int, value: bytes, rest: bytes = b"") -> bytes:
    """An EXIF block with nothing but an orientation, of any TIFF type."""
    entry = struct.pack("<HHI", Base.Orientation, kind, 1) + value
    return b"II*\0\x08\0\0\0\x01\0" + entry + bytes(4) + rest


def xmp(orientation: int) -> bytes:
    return b'<rdf:Description tiff:Orientation="%d"/>' % orientation


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(kind: bytes, body: bytes, data: bytes | None = None) -> bytes:
    """A PNG with one more chunk behind its header."""
    data = encoded(picture(), "PNG") if data is None else data
    return data[:33] + chunk(kind, body) + data[33:]


def with_exif(block: bytes, **options: Any) -> bytes:
    """A JPEG with an Exif segment of any content."""
    data, body = encoded(picture(), **options), b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def png_header(width: int, height: int, bits: int = 8) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b""))


def read(data: bytes) -> Image.Image:
    """Decode as the readers of a shard do, any metadata applied."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            return ImageOps.exif_transpose(image)


def verdict(data: bytes | memoryview) -> Picture | Reason:
    try:
        return inspect(data)
    except PictureError as error:
        return error.reason


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(picture()),
    "jpeg grey": lambda: encoded(picture("L")),
    "jpeg cmyk": lambda: encoded(picture("CMYK")),
    "jpeg progressive": lambda: encoded(picture(), progressive=True),
    "jpeg with bytes behind": lambda: encoded(picture()) + b"\0\0",
    "mpo": lambda: frames("MPO"),
    "mpo, malformed": lambda: frames("MPO").replace(b"\x01\xb0", b"\x09\xb0", 1),
    "png": lambda: encoded(picture(), "PNG"),
    "png transparent": lambda: encoded(picture("RGBA"), "PNG"),
    "png palette": lambda: encoded(picture().quantize(16), "PNG", transparency=3),
    "png of 1 bit": lambda: encoded(picture("L").convert("1"), "PNG"),
    "apng without frames": lambda: with_chunk(b"acTL", struct.pack(">II", 0, 0)),
    "gif": lambda: encoded(picture().quantize(16), "GIF"),
    "webp": lambda: encoded(picture(), "WEBP"),
    "webp transparent": lambda: encoded(picture("RGBA"), "WEBP", lossless=True),
    "bmp": lambda: encoded(picture(), "BMP"),
    "bmp palette": lambda: encoded(picture().quantize(16), "BMP"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_untouched(name):
    data = ACCEPTED[name]()
    assert read(data).size == SIZE
    assert inspect(data) == UPRIGHT
    assert inspect(memoryview(bytearray(data))) == UPRIGHT


def test_ordinary_jpeg_never_reaches_pillow(monkeypatch):
    data = encoded(picture(), icc_profile=b"profile", comment=b"words")
    monkeypatch.setattr(Image, "open", None)
    assert inspect(data) == UPRIGHT


def test_reused_buffer_is_let_go():
    buffer = bytearray(encoded(picture()))
    inspect(memoryview(buffer))
    buffer.clear()  # raises BufferError while anything still looks into it
    assert buffer == b""


def test_pillow_warnings_stay_inside():
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True, action="always") as seen:
        inspect(ACCEPTED["mpo, malformed"]())
        inspect(ACCEPTED["apng without frames"]())
        inspect(with_exif(tiff(3, b"\6\0\0\0")[:-9], dpi=(72, 72)))
        verdict(png_header(10_000, 9_000))
    assert [str(warning.message) for warning in seen] == []
    assert warnings.filters == filters


def sixteen_bit_rgb() -> bytes:
    """Pillow cannot write it, and reads it as 8 bits without a word."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + bytes(12)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def twelve_bit_jpeg() -> bytes:
    data = bytearray(encoded(picture()))
    data[data.index(b"\xff\xc0") + 4] = 12
    return bytes(data)


def many_scans() -> bytes:
    """A progressive picture whose last scan is repeated, up to one more than is accepted."""
    data = encoded(picture("L"), progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * (102 - data.count(b"\xff\xda")) + data[-2:]


def broken_photoshop_segment() -> bytes:
    data = encoded(picture())
    return data[:2] + b"\xff\xed\x00\x16Photoshop 3.0\x008BIM\0\0" + data[2:]


# The reason of each, and the detail where its words are ours.
REJECTED: dict[str, tuple[Callable[[], bytes], Reason, str | None]] = {
    "empty": (lambda: b"", Reason.IMAGE_EMPTY, "0 bytes"),
    "text": (
        lambda: b"<!DOCTYPE html>",
        Reason.IMAGE_NOT_AN_IMAGE,
        "begins with b'<!DOCTYPE ht'",
    ),
    "tiff": (lambda: encoded(picture(), "TIFF"), Reason.IMAGE_NOT_AN_IMAGE, None),
    "ppm": (lambda: encoded(picture(), "PPM"), Reason.IMAGE_NOT_AN_IMAGE, None),
    "jpeg cut in its header": (lambda: encoded(picture())[:100], Reason.IMAGE_TRUNCATED, None),
    "jpeg cut in its pixels": (lambda: encoded(picture())[:-60], Reason.IMAGE_TRUNCATED, None),
    "jpeg without end": (lambda: encoded(picture())[:-2], Reason.IMAGE_TRUNCATED, None),
    "png cut": (lambda: encoded(picture(), "PNG")[:-80], Reason.IMAGE_TRUNCATED, None),
    "gif cut": (lambda: encoded(picture(), "GIF")[:-90], Reason.IMAGE_TRUNCATED, None),
    "webp cut": (lambda: encoded(picture(), "WEBP")[:-40], Reason.IMAGE_TRUNCATED, None),
    "bmp cut": (lambda: encoded(picture(), "BMP")[:-40], Reason.IMAGE_TRUNCATED, None),
    "jpeg with a hole": (
        lambda: encoded(picture())[:300] + encoded(picture())[700:],
        Reason.IMAGE_UNREADABLE,
        "damaged header",
    ),
    "jpeg that no reader opens": (
        broken_photoshop_segment,
        Reason.IMAGE_UNREADABLE,
        "damaged header",
    ),
    "png without pixels": (
        lambda: encoded(picture(), "PNG").replace(b"IDAT", b"IDAU"),
        Reason.IMAGE_UNREADABLE,
        "damaged header",
    ),
    "png with a short chunk behind its pixels": (
        lambda: encoded(picture(), "PNG")[:-12] + chunk(b"gAMA", b"\0") + chunk(b"IEND", b""),
        Reason.IMAGE_UNREADABLE,
        None,
    ),
    "gif of frames": (
        lambda: frames("GIF"),
        Reason.IMAGE_ANIMATED,
        "GIF with several frames",
    ),
    "webp of frames": (
        lambda: frames("WEBP"),
        Reason.IMAGE_ANIMATED,
        "WEBP with several frames",
    ),
    "apng of frames": (
        lambda: frames("PNG"),
        Reason.IMAGE_ANIMATED,
        "PNG with several frames",
    ),
    "apng of one frame and a default image": (
        lambda: with_chunk(b"acTL", struct.pack(">II", 1, 0)),
        Reason.IMAGE_ANIMATED,
        "PNG with several frames",
    ),
    "png of 16 bits, grey": (
        lambda: encoded(Image.new("I;16", SIZE), "PNG"),
        Reason.IMAGE_16_BIT,
        "16 bits per channel, expected 8",
    ),
    "png of 16 bits, rgb": (
        sixteen_bit_rgb,
        Reason.IMAGE_16_BIT,
        "16 bits per channel, expected 8",
    ),
    "jpeg of 12 bits": (
        twelve_bit_jpeg,
        Reason.IMAGE_16_BIT,
        "12 bits per channel, expected 8",
    ),
    "jpeg of many scans": (
        many_scans,
        Reason.IMAGE_UNREADABLE,
        "101 scans, at most 100 are decoded",
    ),
    "png too large": (
        lambda: png_header(10_000, 9_000),
        Reason.IMAGE_OVER_PIXEL_CAP,
        "10000 x 9000 pixels, at most 80000000 in all",
    ),
    "png too large for Pillow": (
        lambda: png_header(60_000, 60_000),
        Reason.IMAGE_OVER_PIXEL_CAP,
        None,
    ),
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejected(name):
    draw, reason, detail = REJECTED[name]
    with pytest.raises(PictureError) as caught:
        inspect(draw())
    assert caught.value.reason == reason
    assert detail in (None, caught.value.detail)


@pytest.mark.parametrize("name", ["jpeg", "jpeg with bytes behind"])
def test_pixel_cap_is_the_last_size_accepted(name):
    assert inspect(ACCEPTED[name](), max_pixels=960) == UPRIGHT
    with pytest.raises(PictureError) as caught:
        inspect(ACCEPTED[name](), max_pixels=959)
    assert caught.value.detail == "40 x 24 pixels, at most 959 in all"


def test_readers_are_never_warned_of_an_accepted_size():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_IMAGE_PIXELS < Image.MAX_IMAGE_PIXELS


def xmp_in_png(orientation: int) -> bytes:
    return with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(orientation))


CARRIERS: dict[str, Callable[[int], bytes]] = {
    "jpeg exif": lambda o: encoded(picture(), exif=exif(o), quality=95, subsampling=0),
    "jpeg xmp": lambda o: encoded(picture(), xmp=xmp(o), quality=95, subsampling=0),
    "jpeg decoded": lambda o: encoded(picture(), exif=exif(o), quality=95, subsampling=0) + b"\0",
    "mpo": lambda o: encoded(
        picture(), "MPO", save_all=True, append_images=[picture()], exif=exif(o), quality=95
    ),
    "png exif": lambda o: encoded(picture(), "PNG", exif=exif(o)),
    "png xmp": xmp_in_png,
    "webp exif": lambda o: encoded(picture(), "WEBP", exif=exif(o)),
    "webp xmp": lambda o: encoded(picture(), "WEBP", xmp=xmp(o)),
}


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("carrier", CARRIERS)
def test_orientation_is_that_of_the_readers(carrier, orientation):
    data = CARRIERS[carrier](orientation)
    turned = orientation if 1 <= orientation <= 8 else 1
    assert inspect(data) == Picture(width=40, height=24, orientation=turned, untouched=turned == 1)
    shown, stored = read(data), upright(data, turned)
    again = read(stored)
    assert inspect(stored) == Picture(
        width=shown.width, height=shown.height, orientation=1, untouched=True
    )
    assert not again.getexif()
    with Image.open(io.BytesIO(stored)) as image:
        assert image.format == ("JPEG" if carrier.startswith(("jpeg", "mpo")) else "PNG")
    off = np.abs(np.asarray(again, dtype=int) - np.asarray(shown)).mean()
    assert off < (4 if carrier.startswith(("jpeg", "mpo")) else 0.001)


@pytest.mark.parametrize(
    ("kind", "value", "rest", "orientation"),
    [
        (3, b"\6\0\0\0", b"", 6),  # SHORT, as EXIF wants it
        (4, b"\6\0\0\0", b"", 6),  # LONG
        (5, struct.pack("<I", 26), struct.pack("<II", 6, 1), 6),  # RATIONAL
        (11, struct.pack("<f", 6), b"", 6),  # FLOAT
        (11, struct.pack("<f", 6.5), b"", 1),
        (1, b"\6\0\0\0", b"", 1),  # BYTE
        (2, b"6\0\0\0", b"", 1),  # ASCII
        (99, b"\6\0\0\0", b"", 1),
    ],
)
def test_orientation_of_odd_types(kind, value, rest, orientation):
    data = with_exif(tiff(kind, value, rest))
    assert inspect(data).orientation == orientation
    assert read(data).size == (SIZE if orientation == 1 else SIZE[::-1])


TRIPPING = {
    "jpeg exif": with_exif(b"rubbish!", dpi=(72, 72)),
    "png exif": with_chunk(b"eXIf", b"rubbish!"),
    "png exif as text": with_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 3\nzz"),
}


@pytest.mark.parametrize("name", TRIPPING)
def test_metadata_that_trips_readers_is_taken_off(name):
    data = TRIPPING[name]
    with pytest.raises((SyntaxError, ValueError)):
        read(data)
    assert inspect(data) == Picture(width=40, height=24, orientation=1, untouched=False)
    assert inspect(upright(data, 1)) == UPRIGHT
    assert read(upright(data, 1)).size == SIZE


WITH_PROFILE = {
    ("JPEG", "L"): encoded(picture("L"), icc_profile=b"icc"),
    ("JPEG", "CMYK"): encoded(picture("CMYK"), icc_profile=b"icc"),
    ("JPEG", "RGB"): encoded(picture(), icc_profile=b"icc", comment=b"words", xmp=xmp(3)),
    ("PNG", "P"): encoded(picture().quantize(9), "PNG", transparency=3, icc_profile=b"icc"),
    ("PNG", "RGBA"): encoded(picture("RGBA"), "WEBP", lossless=True, icc_profile=b"icc"),
}


@pytest.mark.parametrize(("kind", "mode"), WITH_PROFILE)
def test_upright_keeps_channels_and_profile_only(kind, mode):
    data = WITH_PROFILE[kind, mode]
    stored = upright(data, 3)
    with Image.open(io.BytesIO(stored)) as image:
        assert (image.format, image.mode, image.info.get("icc_profile")) == (kind, mode, b"icc")
        assert image.info.keys() & {"exif", "xmp", "comment"} == set()
        assert image.info.get("transparency") == read(data).info.get("transparency")
    assert upright(memoryview(data), 3) == stored


def violation(data: bytes) -> str | None:
    """Say where `inspect` and the readers differ, None where they agree."""
    try:
        picture = inspect(data)
    except PictureError as error:
        return "address in the detail" if " at 0x" in error.detail else None
    stored = data if picture.untouched else upright(data, picture.orientation)
    wide, high = picture.width, picture.height
    shown = (high, wide) if picture.orientation >= 5 else (wide, high)
    try:
        size = read(stored).size
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        return f"accepted, but: {error}"
    return None if size == shown else f"{picture}, but readers see {size}"


def mutated(random_: random.Random, data: bytes, other: bytes) -> bytes:
    """Overwrite some bytes, cut the end off, or put in a piece of another file."""
    offset = random_.randrange(len(data))
    kind = random_.randrange(5)
    if kind == 0:
        return data[:offset]
    if kind == 1:
        start = random_.randrange(len(other))
        piece = other[start : start + random_.randrange(80)]
        return data[:offset] + piece + data[offset + random_.choice((0, len(piece))) :]
    changed = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 4))):
        offset = random_.randrange(min(len(data), random_.choice((64, 700, len(data)))))
        changed[offset] = random_.choice((random_.randrange(256), random_.randrange(20), 0xFF))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_accepted_is_read_the_same(seed):
    random_ = random.Random(seed)
    corpus = [draw() for draw in ACCEPTED.values()]
    corpus += [draw(6) for draw in CARRIERS.values()]
    corpus += [frames("GIF"), frames("PNG"), frames("WEBP")]
    violations = set()
    for _ in range(1500):
        data = mutated(random_, random_.choice(corpus), random_.choice(corpus))
        violations.add(violation(data))
    assert violations == {None}


@given(
    start=st.sampled_from([draw()[:12] for draw in ACCEPTED.values()]),
    rest=st.binary(max_size=200),
)
@example(start=b"\xff\xd8\xff", rest=b"\xd9")
@example(start=b"\xff\xd8\xff", rest=b"\xda\x00\x02\xff\xd9")
@example(start=b"RIFF\xff\xff\xff\xffWEBP", rest=b"")
def test_any_bytes_get_a_verdict(start, rest):
    assert violation(start + rest) is None


AWKWARD = {
    "exif_orientation_6_Landscape_6.jpg": (1200, 1800, 6),
    "hopper.gif": (128, 128, 1),
    "hopper_gray.jpg": (128, 128, 1),
    "hopper_orientation_6.jpg": (128, 128, 6),
    "invalid-exif.jpg": (200, 200, 1),
    "pil_sample_cmyk.jpg": (100, 100, 1),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_samples_are_kept(samples, name):
    width, height, orientation = AWKWARD[name]
    assert inspect((samples / "awkward_images" / name).read_bytes()) == Picture(
        width=width, height=height, orientation=orientation, untouched=orientation == 1
    )


def test_truncated_sample_is_rejected(samples):
    data = (samples / "awkward_images" / "truncated_jpeg.jpg").read_bytes()
    assert verdict(data) == Reason.IMAGE_TRUNCATED


def test_samples_are_read_the_same(samples):
    paths = sorted(samples.rglob("*.jpg"))
    assert len(paths) > 50
    assert {path: violation(path.read_bytes()) for path in paths} == dict.fromkeys(paths)
