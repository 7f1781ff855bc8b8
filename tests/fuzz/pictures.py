"""A gallery of damaged pictures, with an annotation file in COCO's format about them."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from tests.conftest import samples_folder
from tests.fuzz.byte_faults import OPERATORS as BYTE_OPERATORS

PICTURES = 100
_GOOD = 5  # of the hundred, which no operator touches
_SIZE = (64, 48)
_SIDES = (0, 1, 2, 47, 65_500, 65_535, 2**31 - 1, 2**32 - 1)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "ICO", "JPEG2000")

Operator = Callable[[Random, bytes], bytes]


def _drawn(chance: Random) -> bytes:
    """Return a small whole picture of any format and mode."""
    name = chance.choice(_FORMATS)
    mode = chance.choice(["RGB", "L", "P", "RGBA", "CMYK", "1", "I;16", "LA", "YCbCr"])
    image = Image.new(mode, _SIZE)
    image.paste(tuple(range(50, 50 + len(image.getbands()) * 40, 40)) if len(image.getbands()) > 1
                else 1, (5, 5, 40, 30))  # fmt: skip
    room, options = BytesIO(), dict[str, object]()
    if name == "JPEG":
        options = {"progressive": chance.random() < 0.5, "quality": 80, "exif": _exif(chance)}
    try:
        image.save(room, name, **options)
    except (OSError, KeyError, ValueError):  # the format has no such mode
        image.convert("RGB").save(room, name)
    return room.getvalue()


def _exif(chance: Random) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = chance.randrange(0, 11)  # orientation; 1 to 8 exist
    exif[0x010E] = "x" * chance.choice([0, 10, 60_000])
    return exif.tobytes()


def _png_size(chance: Random, content: bytes) -> bytes:
    """State another size in a PNG, with a right checksum."""
    start = content.find(b"IHDR")
    if start < 0:
        return content
    header = bytearray(content[start : start + 17])
    header[4:12] = struct.pack(">II", chance.choice(_SIDES), chance.choice(_SIDES))
    checksum = struct.pack(">I", zlib.crc32(bytes(header)))
    return content[:start] + bytes(header) + checksum + content[start + 21 :]


def _jpeg_size(chance: Random, content: bytes) -> bytes:
    """State another size in a JPEG's frame."""
    start = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    if start < 0:
        return content
    size = struct.pack(">HH", *(min(chance.choice(_SIDES), 65_535) for _ in range(2)))
    return content[: start + 5] + size + content[start + 9 :]


def _scans(chance: Random, content: bytes) -> bytes:
    """Repeat the scans of a JPEG many times."""
    start = content.find(b"\xff\xda")
    if start < 0:
        return content
    scan = content[start : content.rfind(b"\xff\xd9")]
    return content[:start] + scan[:4_000] * chance.choice([5, 99, 3_000]) + b"\xff\xd9"


def _segment(chance: Random, content: bytes) -> bytes:
    """Put a segment or a chunk of rubbish into a JPEG or PNG."""
    rubbish = chance.randbytes(chance.choice([0, 10, 5_000]))
    if content.startswith(b"\xff\xd8"):
        names = (
            b"Exif\0\0",
            b"ICC_PROFILE\0\x01\x01",
            b"JFIF\0",
            b"Adobe\0",
            b"MPF\0",
            b"http://x\0",
        )
        body = chance.choice(names) + rubbish
        marker = bytes([0xFF, chance.choice([0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD])])
        length = chance.choice([len(body) + 2, 0, 1, 65_535])
        return content[:2] + marker + struct.pack(">H", length) + body + content[2:]
    if content.startswith(b"\x89PNG"):
        kind = chance.choice(
            [b"iCCP", b"zTXt", b"eXIf", b"acTL", b"PLTE", b"tRNS", b"gAMA", b"IDAT"]
        )
        body = chance.choice([rubbish, b"a\0\0" + _much()])
        chunk = kind + body
        stated = struct.pack(">I", chance.choice([len(body), len(body), 2**31]))
        return content[:33] + stated + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[33:]
    return content


def _frames(chance: Random, _: bytes) -> bytes:
    """Return a picture of several frames."""
    frames = [Image.new("P", _SIZE, number) for number in range(chance.choice([2, 3, 300]))]
    room = BytesIO()
    frames[0].save(room, chance.choice(["GIF", "TIFF", "PNG", "WEBP"]), save_all=True,
                   append_images=frames[1:])  # fmt: skip
    return room.getvalue()


def _bomb(chance: Random, _: bytes) -> bytes:
    """Return a small file of very many pixels."""
    return _plain(chance.choice([8_000, 9_000, 12_000]), chance.choice(["PNG", "GIF"]))


@cache
def _plain(side: int, name: str) -> bytes:
    room = BytesIO()
    Image.new("1", (side, side)).save(room, name)
    return room.getvalue()


@cache
def _much() -> bytes:
    """Return 50 MB of zeros, packed."""
    return zlib.compress(bytes(50_000_000))


def _tiff(chance: Random, _: bytes) -> bytes:
    """Return a TIFF whose directory leads back to itself or beyond the end."""
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in ((256, chance.choice(_SIDES)), (257, 48), (258, 8), (259, 1), (262, 1),
                           (273, chance.choice([8, 2**31])), (278, 48), (279, 2**31))
    )  # fmt: skip
    following = chance.choice([8, 0, 2**31])
    return b"II*\0" + struct.pack("<IH", 8, 8) + entries + struct.pack("<I", following)


OPERATORS: dict[str, Operator] = {
    "PNG of another size": _png_size,
    "JPEG of another size": _jpeg_size,
    "many scans": _scans,
    "odd segment": _segment,
    "several frames": _frames,
    "many pixels": _bomb,
    "odd TIFF": _tiff,
}


class Gallery:
    """A folder of pictures and its annotation file."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.folder = folder
        self.file = folder.with_name("gallery.json")
        self.names: list[str] = []
        self.operators: list[str] = []
        self._chance = chance
        samples = samples_folder()
        awkward = sorted((samples / "awkward_images").glob("*")) if samples else []
        self._awkward = [path.read_bytes() for path in awkward]

    def hang(self) -> None:
        """Write the pictures and the annotation file."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        images, regions = [], []
        for number in range(PICTURES):
            content = self._picture(damaged=number >= _GOOD)
            name = f"{number}.{self._chance.choice(['jpg', 'png', 'JPG', 'webp'])}"
            (self.folder / name).write_bytes(content)
            self.names.append(name)
            width, height = self._chance.choice([_SIZE, _SIZE, _SIZE, _SIZE[::-1], (640, 480)])
            images.append({"id": number, "file_name": name, "width": width, "height": height})
            box = [2, 3, 20, 30]
            regions.append({"id": number, "image_id": number, "category_id": 1, "bbox": box})
        document = {"images": images, "annotations": regions,
                    "categories": [{"id": 1, "name": "thing"}]}  # fmt: skip
        self.file.write_text(json.dumps(document), encoding="utf-8")

    def _picture(self, *, damaged: bool) -> bytes:
        chance = self._chance
        if not damaged:
            room = BytesIO()
            Image.new("RGB", _SIZE, (chance.randrange(256), 90, 90)).save(room, "JPEG")
            return room.getvalue()
        content = chance.choice(self._awkward) if chance.random() < 0.1 and self._awkward else b""
        content = content or _drawn(chance)
        if chance.random() < 0.6:
            name = chance.choice(list(OPERATORS))
            content = OPERATORS[name](chance, content)
        else:
            name = chance.choice(["bits flipped", "cut short", "cut out", "spliced", "zeros",
                                  "junk inserted", "bytes repeated"])  # fmt: skip
            content = BYTE_OPERATORS[name](chance, content, ())
        self.operators.append(name)
        return content
