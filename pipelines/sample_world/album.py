"""The scenes and pictures of a data set that draws its own, with planted oddities."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pipelines.sample_world.draw import draw, jpeg_bytes
from pipelines.sample_world.scene import Scene, World, generator, make_scene
from pipelines.sample_world.shapes import COLOURS, GREYS

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


def album_size(world: World) -> int:
    """Return the number of pictures that a data set draws: three for every eight of COCO's."""
    return world.pictures * 3 // 8


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
        oddities: planted oddities by position.
        frames: widths and heights to choose from; pixels.
    """
    for position in range(album_size(world)):
        oddity = (oddities or {}).get(position, "")
        scene = lay_out(f"{name}/{world.seed}/{position}", oddity, frames)
        yield Shot(position=position, scene=scene, oddity=oddity)


def lay_out(key: str, oddity: Oddity, frames: Collection[tuple[int, int]] = FRAMES) -> Scene:
    """Return the scene of a key: three to nine things, or fewer where there is no room."""
    rng = generator("frame", key)
    width, height = tuple(frames)[rng.integers(len(frames))]
    return make_scene(
        key,
        width=width,
        height=height,
        things=0 if oddity == "empty" else int(rng.integers(3, 10)),
        colours=GREYS if oddity == "grey" else tuple(COLOURS),
        crowd=oddity == "crowd",
    )


def picture_bytes(scene: Scene, oddity: Oddity = "") -> bytes:
    """Return the picture of a scene as JPEG; the oddity makes it grey or EXIF-turned."""
    image = draw(scene)
    if oddity == "grey":
        image = image.convert("L")
    return jpeg_bytes(image, orientation=6 if oddity == "turned" else 1)
