"""The drawing of scenes: a textured ground, then the things from back to front."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.sample_world.scene import Scene, Thing, generator
from pipelines.sample_world.shapes import COLOURS

_EXIF_ORIENTATION = 0x0112

# Two muted colours that a ground blends, and the width and height of its blotches in pixels.
_GROUNDS = {
    "sand": ((202, 184, 150), (178, 158, 122), (9, 5)),
    "grass": ((122, 140, 96), (156, 168, 122), (4, 14)),
    "stone": ((132, 132, 130), (172, 172, 168), (24, 20)),
    "wood": ((172, 140, 108), (148, 116, 88), (70, 4)),
    "cloth": ((150, 158, 176), (178, 182, 194), (3, 3)),
}
_OVERSAMPLE = 2


def draw(scene: Scene) -> Image.Image:
    """Draw a scene as an RGB picture of its width and height, with smooth edges."""
    ground = Image.fromarray(_ground(scene))
    sheet = ground.resize(
        (scene.width * _OVERSAMPLE, scene.height * _OVERSAMPLE), Image.Resampling.NEAREST
    )
    pen = ImageDraw.Draw(sheet)
    for thing in scene.things:
        _paint(pen, thing)
    return sheet.reduce(_OVERSAMPLE)


def add_grain(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Return an RGB picture with normal noise added, `strength` levels of 255 wide."""
    shape = (image.height, image.width, 1)
    noise = rng.standard_normal(shape, dtype=np.float32) * strength
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def jpeg_bytes(image: Image.Image, *, quality: int = 88, orientation: int = 1) -> bytes:
    """Encode a picture as JPEG; an EXIF orientation other than 1 is stored as a tag only."""
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = orientation
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=b"" if orientation == 1 else exif)
    return buffer.getvalue()


def _ground(scene: Scene) -> NDArray[np.uint8]:
    """Return the ground without things: an array of shape (height, width, 3)."""
    rng = generator("ground", scene.key)
    first, second, (across, down) = _GROUNDS[scene.ground]
    cells = (scene.height // down + 2, scene.width // across + 2)
    blotches = Image.fromarray(rng.integers(0, 256, cells, dtype=np.uint8))
    blotches = blotches.resize((scene.width, scene.height), Image.Resampling.BICUBIC)
    grain = rng.integers(-30, 31, (scene.height, scene.width), dtype=np.int16)
    shades = np.arange(-30, 286)[:, None] / 255
    table = np.array(first) + shades * (np.array(second) - np.array(first))
    return table.astype(np.uint8)[np.asarray(blotches) + grain + 30]


def _paint(pen: ImageDraw.ImageDraw, thing: Thing) -> None:
    """Paint a thing's parts in its colour, inside a thin darker edge."""
    fill = COLOURS[thing.colour]
    edge = (int(fill[0] * 0.6), int(fill[1] * 0.6), int(fill[2] * 0.6))
    for part in thing.parts:
        corners = np.rint(part * _OVERSAMPLE - 0.5).ravel().tolist()  # Pillow drops fractions
        pen.polygon(corners, fill=fill)
        pen.line(corners + corners[:2], fill=edge, width=_OVERSAMPLE)
