"""The scenes and pictures of a data set that draws its own, with planted oddities."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipelines.sample_world.draw import draw, jpeg_bytes
from pipelines.sample_world.look import HARD, Look
from pipelines.sample_world.scene import Scene, World, generator, make_scene
from pipelines.sample_world.shapes import GREYS

FRAMES = ((320, 240), (320, 214), (240, 320), (320, 320), (300, 225), (256, 320))  # w, h; pixels

Oddity = str  # "", "empty", "crowd", "grey", "turned"; a data set may define more


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture of one data set: its 0-based position in the data set, its scene and its oddity."""

    position: int
    scene: Scene
    oddity: Oddity

    def jpeg(self) -> bytes:
        """Return the picture as the bytes of a JPEG file."""
        return picture_bytes(self.scene, self.oddity)


def album(
    name: str,
    world: World,
    oddities: Mapping[int, Oddity] | None = None,
    frames: Collection[tuple[int, int]] = FRAMES,
) -> Iterator[Shot]:
    """Yield the pictures of a data set that draws its own.

    Args:
        name: name of the data set.
        world: the sample world that the data set is a part of.
        oddities: oddities by position, for a world that has some.
        frames: widths and heights to choose from, unless the world has its own; pixels.
    """
    look = world.look
    for position in range(world.album_size):
        oddity = (oddities or {}).get(position, "") if look.odd else ""
        scene = lay_out(f"{name}/{world.seed}/{position}", oddity, frames, look)
        yield Shot(position=position, scene=scene, oddity=oddity)


def lay_out(
    key: str, oddity: Oddity, frames: Collection[tuple[int, int]] = FRAMES, look: Look = HARD
) -> Scene:
    """Return the scene of a key, with fewer things than the look asks for where room is short."""
    rng = generator("frame", key)
    choices = look.frames or tuple(frames)
    width, height = choices[rng.integers(len(choices))]
    least, most = look.things
    return make_scene(
        key,
        width=width,
        height=height,
        things=0 if oddity == "empty" else int(rng.integers(least, most + 1)),
        look=replace(look, colours=GREYS) if oddity == "grey" else look,
        crowd=oddity == "crowd",
    )


def picture_bytes(scene: Scene, oddity: Oddity = "") -> bytes:
    """Return the picture of a scene as JPEG; the oddity makes it grey or EXIF-turned."""
    image = draw(scene)
    if oddity == "grey":
        image = image.convert("L")
    return jpeg_bytes(image, orientation=6 if oddity == "turned" else 1)
