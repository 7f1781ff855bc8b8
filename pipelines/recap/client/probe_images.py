"""Pictures of known content, and a question about them, to check that a server sees images."""

from functools import cache
from hashlib import shake_128
from io import BytesIO

from PIL import Image

QUESTION = "Which colour fills this picture? Answer with one word."
REGION_QUESTION = "Which colour fills region1? Answer with one word."
LAST_QUESTION = "Which colour fills the last picture? Answer with one word."
COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 150, 20),
    "blue": (20, 40, 220),
    "yellow": (240, 220, 20),
}
_GREY = (128, 128, 128)
_SIDE = 224  # pixels


@cache
def draw_square(colour: str) -> bytes:
    """Return a JPEG of a square in a colour of `COLOURS`, 224 × 224 pixels."""
    return _jpeg(Image.new("RGB", (_SIDE, _SIDE), COLOURS[colour]))


@cache
def draw_quarters() -> bytes:
    """Return a JPEG of a square whose quarters have the colours of `COLOURS`, 224 × 224 pixels."""
    square = Image.new("RGB", (_SIDE, _SIDE))
    for name, rgb in COLOURS.items():
        square.paste(rgb, quarter_of(name))
    return _jpeg(square)


def quarter_of(colour: str) -> tuple[int, int, int, int]:
    """Return the box of a colour in `draw_quarters`, xyxy in pixels."""
    down, across = divmod(list(COLOURS).index(colour), 2)
    half = _SIDE // 2
    return across * half, down * half, (across + 1) * half, (down + 1) * half


@cache
def draw_grey() -> bytes:
    """Return a JPEG of a grey square, 224 × 224 pixels, for the pictures before the last one."""
    return _jpeg(Image.new("RGB", (_SIDE, _SIDE), _GREY))


@cache
def draw_noise() -> bytes:
    """Return a JPEG of noise, 224 × 224 pixels, the same on every machine; its file is large."""
    values = shake_128(b"noise").digest(_SIDE * _SIDE * 3)
    return _jpeg(Image.frombytes("RGB", (_SIDE, _SIDE), values))


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
