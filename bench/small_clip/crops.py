"""Crops of shapes in drawn pictures, made as for a scorer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from bench.small_clip.sentences import Facts, facts_of
from pipelines.recap.clip.crops import clip_crop
from pipelines.sample_world.album import lay_out, picture_bytes
from pipelines.sample_world.scene import Scene, generator

_GREY_EVERY = 16


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A crop of a shape, with the picture, the scene and the facts about the shape."""

    picture: Image.Image  # upright, RGB
    crop: Image.Image
    scene: Scene
    index: int  # index of the shape in the scene
    facts: Facts


def sights(world: str, scenes: int, contexts: Sequence[float] = (0.0,)) -> Iterator[Sight]:
    """Yield a crop of every shape in the scenes of a world.

    Args:
        world: name of the world, which decides the scenes.
        scenes: number of scenes.
        contexts: margins around boxes to choose from at random, as a share of a box's sides.
    """
    for number in range(scenes):
        key = f"small clip/{world}/{number}"
        oddity = "grey" if number % _GREY_EVERY == _GREY_EVERY - 1 else ""
        scene, rng = lay_out(key, oddity), generator("facts", key)
        picture = _reopened(picture_bytes(scene, oddity))
        for index, thing in enumerate(scene.things):
            context = float(rng.choice(contexts))
            yield Sight(
                picture=picture,
                crop=_reopened(clip_crop(picture, thing.box, context)),
                scene=scene,
                index=index,
                facts=facts_of(scene, index, rng),
            )


def _reopened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as opened:
        return opened.convert("RGB")
