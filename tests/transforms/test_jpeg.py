"""What `prove` accepts decodes; what could fail to decode it leaves to the decoder."""

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from schemas.limits import MAX_JPEG_SCANS
from transforms import jpeg
from transforms.jpeg import Frame

SIZE = (40, 24)  # width, height in pixels
SOF, DHT, SOS, DQT, DRI = b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd"
SOF_PROGRESSIVE = b"\xff\xc2"


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    width, height = size
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    values = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4 * channels))
    picture = Image.frombytes(mode, (width // 4, height // 4), values.astype(np.uint8).tobytes())
    return picture.resize(size, Image.Resampling.BICUBIC)


def encoded(mode: str = "RGB", size: tuple[int, int] = SIZE, **options: object) -> bytes:
    out = io.BytesIO()
    picture(mode, size).save(out, "JPEG", **options)
    return out.getvalue()


def decodes(data: bytes) -> tuple[int, int] | None:
    """The size to which Pillow decodes, None where it fails."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
            return image.size
    except (OSError, SyntaxError):
        return None


def segments(data: bytes) -> list[bytes]:
    """The file in pieces: SOI, each segment (a scan with its compressed data), EOI."""
    pieces, offset = [data[:2]], 2
    while data[offset + 1] != 0xD9:
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4])
        if data[offset + 1] == 0xDA:
            while data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 1
        pieces.append(data[offset:end])
        offset = end
    return [*pieces, data[offset:]]


def one_component_a_scan() -> bytes:
    """Three grey pictures as the three components of one baseline frame, one scan each."""
    grey = segments(encoded("L"))
    frame = next(piece for piece in grey if piece.startswith(SOF))
    scan = next(piece for piece in grey if piece.startswith(SOS))
    three = (
        SOF + b"\x00\x11" + frame[4:9] + b"\x03" + b"".join(b"%c\x11\x00" % i for i in (1, 2, 3))
    )
    scans = [scan[:5] + bytes([i]) + scan[6:] for i in (1, 2, 3)]
    rest = [piece for piece in grey[:-1] if piece not in (frame, scan)]
    return b"".join([*rest, three, *scans, grey[-1]])


def ycck() -> bytes:
    data = bytearray(encoded("CMYK"))
    data[data.index(b"Adobe") + 11] = 2  # the transform: YCCK
    return bytes(data)


def edited(data: bytes, marker: bytes, offset: int, *values: int) -> bytes:
    """Overwrite bytes of the first segment with that marker; `offset` counts from the marker."""
    start = data.index(marker) + offset
    return data[:start] + bytes(values) + data[start + len(values) :]


ORDINARY: dict[str, Callable[[], bytes]] = {
    "4:4:4": lambda: encoded(subsampling=0),
    "4:2:2": lambda: encoded(subsampling=1),
    "4:2:0": lambda: encoded(subsampling=2),
    "optimised": lambda: encoded(optimize=True),
    "grey": lambda: encoded("L"),
    "cmyk": lambda: encoded("CMYK"),
    "ycck": ycck,
    "rgb": lambda: encoded(keep_rgb=True),
    "progressive": lambda: encoded(progressive=True),
    "progressive grey": lambda: encoded("L", progressive=True),
    "progressive cmyk": lambda: encoded("CMYK", progressive=True),
    "restarts": lambda: encoded(restart_marker_blocks=2),
    "progressive restarts": lambda: encoded(restart_marker_blocks=1, progressive=True),
    "profile": lambda: encoded(icc_profile=b"p" * 70_000, comment=b"words"),
    "one component a scan": one_component_a_scan,
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary(name):
    data = ORDINARY[name]()
    assert decodes(data) == SIZE
    assert jpeg.prove(data) == Frame(width=40, height=24, plain=True)
    assert jpeg.prove(memoryview(bytearray(data))) == jpeg.prove(data)
    assert jpeg.sample_bits(data) == 8


def scanned(scans: int) -> bytes:
    """A progressive picture of that many scans: the last one is repeated."""
    pieces = segments(encoded("L", progressive=True))
    missing = scans - sum(piece.startswith(SOS) for piece in pieces)
    return b"".join([*pieces[:-1], *pieces[-2:-1] * missing, pieces[-1]])


def test_as_many_scans_as_the_limit_are_ordinary():
    data = scanned(MAX_JPEG_SCANS)
    assert jpeg.most_scans(data) == MAX_JPEG_SCANS
    assert decodes(data) == SIZE
    assert jpeg.prove(data) == Frame(width=40, height=24, plain=True)
    assert jpeg.prove(scanned(MAX_JPEG_SCANS + 1)) is None


@pytest.mark.parametrize(
    ("segment", "plain"),
    [
        (b"\xff\xe1\x00\x08Exif\0\0", False),
        (b"\xff\xe1\x00\x04ab", False),
        (b"\xff\xe2\x00\x10MPF\0" + bytes(10), False),
        (b"\xff\xe2\x00\x0eICC_PROFILE\0", False),  # without its two numbers
        (b"\xff\xed\x00\x10Photoshop 3.0\0", False),
        (b"\xff\xe0\x00\x07JFIF\0", False),  # without a version
        (b"\xff\xee\x00\x07Adobe", False),  # without a transform
        (b"\xff\xe5\x00\x04ab", True),
        (b"\xff\xfe\x00\x02", True),
    ],
)
def test_metadata_that_readers_interpret_is_not_plain(segment, plain):
    data = encoded()
    assert jpeg.prove(data[:2] + segment + data[2:]) == Frame(width=40, height=24, plain=plain)


def behind_start(data: bytes, marker: bytes, body: bytes) -> bytes:
    """Add one more segment behind SOI."""
    return data[:2] + marker + (len(body) + 2).to_bytes(2) + body + data[2:]


def two_components() -> bytes:
    """The scans of the first two of three components, in a frame of these two."""
    data = one_component_a_scan().replace(b"\x03\x01\x11\x00", b"\x02\x01\x11\x00")
    pieces = segments(data.replace(b"\x00\x11\x08", b"\x00\x0e\x08").replace(b"\x03\x11\x00", b""))
    return b"".join([*pieces[:-2], pieces[-1]])


def one_name_for_two_components() -> bytes:
    """A frame whose first two components have the same identifier, and one scan."""
    pieces = segments(edited(one_component_a_scan(), SOF, 13, 1))
    return b"".join([*pieces[:-3], *pieces[-2:]])


BASE, PROGRESSIVE = encoded(subsampling=2), encoded(progressive=True)
SCANS = [piece for piece in segments(BASE) if piece.startswith(SOS)]
TABLES = b"".join(piece for piece in segments(BASE) if piece.startswith(DHT))

# Each is refused by libjpeg or by Pillow, and takes a check of its own to foresee.
BROKEN = {
    "no start": BASE[1:],
    "no end": BASE[:-2],
    "no scan": b"".join(piece for piece in segments(BASE) if piece not in SCANS),
    "two scans": BASE[:-2] + SCANS[0] + BASE[-2:],
    "two frames": edited(BASE, SOS, 0, *segments(BASE)[4][:2]),
    "unknown marker in a scan": BASE[:-20] + b"\xff\x02" + BASE[-18:],
    "start of image in a scan": BASE[:-20] + b"\xff\xd8" + BASE[-18:],
    "quantization table 4": behind_start(BASE, DQT, b"\x04" + bytes(64)),
    "quantization table of 24 bits": behind_start(BASE, DQT, b"\x20" + bytes(192)),
    "quantization table cut short": behind_start(BASE, DQT, b"\x00" + bytes(60)),
    "quantization table missing": edited(BASE, SOF, 12, 3),
    "huffman table 4": edited(BASE, DHT, 4, 4),
    "huffman class 2": edited(BASE, DHT, 4, 0x20),
    "huffman codes that do not fit": edited(BASE, DHT, 5, 2, 0, 4, 0, 0, 2, 1, 1, 1),
    "huffman code of all ones": edited(BASE, DHT, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2),
    "huffman symbols beyond 256": behind_start(
        BASE, DHT, b"\x13" + bytes(9) + b"\x02" + bytes(5) + b"\xff" + bytes(257)
    ),
    "huffman symbol of 16 bits": edited(BASE, DHT, 21, 16),
    "huffman table missing": edited(BASE, SOS, 6, 0x22),
    "dc table missing": edited(BASE, SOS, 6, 0x20),
    "ac table missing": edited(BASE, SOS, 6, 0x02),
    "12 bits": edited(BASE, SOF, 4, 12),
    "no width": edited(BASE, SOF, 7, 0, 0),
    "no height": edited(BASE, SOF, 5, 0, 0),
    "too wide": edited(BASE, SOF, 7, 0xFF, 0xFF),
    "frame cut short": edited(BASE, SOF, 9, 4),
    "no sampling": edited(BASE, SOF, 11, 0x02),
    "sampling of 5": edited(BASE, SOF, 11, 0x51),
    "sampling of 3 to 2": edited(edited(BASE, SOF, 11, 0x31), SOF, 14, 0x21),
    "blocks beyond 10": edited(BASE, SOF, 11, 0x44),
    "arithmetic coding, lossless": edited(BASE, SOF, 1, 0xCB),
    "two components": two_components(),
    "scan of no component": BASE.replace(SCANS[0][:14], SOS + b"\x00\x06\x00\x00\x3f\x00"),
    "scan cut short": edited(BASE, SOS, 4, 1),
    "scan of an unknown component": edited(BASE, SOS, 5, 9),
    "scan of a component twice": edited(BASE, SOS, 7, 1),
    "progression without bounds": edited(PROGRESSIVE, SOS, 11, 0, 64),
    "progression of dc and ac": edited(PROGRESSIVE, SOS, 11, 0, 5),
    "progression of several ac": edited(PROGRESSIVE[:2] + TABLES + PROGRESSIVE[2:], SOS, 11, 1, 5),
    "progression by two bits": edited(PROGRESSIVE, SOS, 13, 0x31),
    "progression below the bits": edited(PROGRESSIVE, SOS, 13, 0x0E),
    "progression without dc table": edited(PROGRESSIVE, SOS, 6, 0x30),
    "restart interval cut short": BASE[:2] + DRI + b"\x00\x03\x00" + BASE[2:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_left_to_the_decoder(name):
    data = BROKEN[name]
    assert data not in (BASE, PROGRESSIVE)
    assert decodes(data) is None
    assert jpeg.prove(data) is None


UNUSUAL = {
    "component twice": one_name_for_two_components(),
    "sequential scan of some coefficients": edited(BASE, SOS, 11, 0, 5),
    "junk between segments": BASE[:20] + b"\0" + BASE[20:],
    "fill byte between segments": BASE[:20] + b"\xff" + BASE[20:],
    "fill byte before the end": BASE[:-2] + b"\xff" + BASE[-2:],
    "zeros behind": BASE + b"\0\0",
    "another behind": BASE + BASE,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_is_left_to_the_decoder(name):
    assert decodes(UNUSUAL[name]) == SIZE
    assert jpeg.prove(UNUSUAL[name]) is None


def test_sample_bits():
    assert jpeg.sample_bits(edited(BASE, SOF, 4, 12)) == 12
    assert jpeg.sample_bits(edited(PROGRESSIVE, SOF_PROGRESSIVE, 4, 16)) == 16
    assert jpeg.sample_bits(BASE[:30]) is None
    assert jpeg.sample_bits(b"\xff\xd8\xff") is None
    assert jpeg.sample_bits(b"\xff\xd8\x00\xc0\x00\x0b\x0c") is None


def mutated(random_: random.Random, data: bytes, other: bytes) -> bytes:
    """Change a few bytes, most of them in headers; or cut, splice and swap segments."""
    kind = random_.randrange(6)
    if kind == 0:
        return data[: random_.randrange(len(data))] + random_.choice((b"", jpeg.END))
    if kind == 1:
        offset = random_.randrange(len(data))
        return data[:offset] + bytes([0xFF, random_.randrange(256)]) + data[offset + 2 :]
    if kind == 2:
        pieces, others = segments(data), segments(other)
        pieces[random_.randrange(len(pieces))] = random_.choice(others)
        return b"".join(pieces)
    if kind == 3:
        pieces = segments(data)
        random_.shuffle(pieces)
        return data[:2] + b"".join(pieces) + data[-2:]
    changed = bytearray(data)
    for _ in range(random_.choice((1, 1, 2, 4))):
        reach = random_.choice((len(data), 200, 700))
        changed[random_.randrange(min(reach, len(data)))] = random_.choice(
            (random_.randrange(256), random_.randrange(20), 0xFF)
        )
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_proven_decodes(seed):
    random_ = random.Random(seed)
    corpus = [draw() for draw in ORDINARY.values() if draw is not ORDINARY["profile"]]
    proven, wrong = 0, []
    for _ in range(5000):
        data = mutated(random_, random_.choice(corpus), random_.choice(corpus))
        frame = jpeg.prove(data)
        if frame is not None and frame.plain:
            proven += 1
            if decodes(data) != (frame.width, frame.height):
                wrong.append(data)
    assert wrong == []
    assert proven > 500  # the corpus is not so damaged that nothing passes
