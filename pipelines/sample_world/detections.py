"""The boxes of a simulated detector in the sample world's pictures of RefCOCOg.

    refcocog/detections.json      COCO's results: image_id, category_id, bbox xywh, score

No detector has run: true boxes are moved a little, some occur twice, some are far off or have
low scores, and a few boxes mark no object. Category ids are COCO's, as in the `instances.json`
in the same folder. Boxes are in the frame of the stored pixels.

Planted in a world with oddities, at positions modulo 32: many boxes that mark no object (`BUSY`),
and no box (`BLIND`). A world without oddities has a sure detector: each thing once, nothing else.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from pipelines.sample_world import coco
from pipelines.sample_world.coco import CATEGORY_IDS, Picture, scattered
from pipelines.sample_world.instances import Record
from pipelines.sample_world.scene import Progress, World, generator

BUSY, BLIND = (3, 4), (11, 15)
NOISE, MUCH_NOISE = 2, 40  # boxes that mark no object, in a usual and in a busy picture
SHAKEN, FAR_OFF = 0.06, 0.7  # share of a box's sides
SURE, UNSURE = (0.45, 0.99), (0.05, 0.29)  # scores
_IDS = tuple(CATEGORY_IDS.values())


def write_detections(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write one file of detections below `root/refcocog`."""
    train2014 = [picture for picture in coco.pictures(world) if picture.splits[2014] == "train"]
    detections: list[Record] = []
    for position, picture in enumerate(train2014):
        cycle, rng = position % 32, generator("detections", world.seed, position)
        if not world.look.odd:
            detections += _sure(picture, rng)
        elif cycle not in BLIND:
            detections += _detections(picture, MUCH_NOISE if cycle in BUSY else NOISE, rng)
        if on_progress:
            on_progress(position + 1, len(train2014))
    order = sorted(range(len(detections)), key=lambda position: scattered({"id": position}))
    (root / "refcocog").mkdir(parents=True, exist_ok=True)
    content = msgspec.json.encode([detections[position] for position in order])
    (root / "refcocog" / "detections.json").write_bytes(content)


def _sure(picture: Picture, rng: np.random.Generator) -> Iterator[Record]:
    """Yield one detection of each thing in a picture without crowds."""
    for thing, record in zip(picture.scene.things, coco.things(picture), strict=True):
        yield _detection(picture, record["category_id"], thing.box, SURE, rng)


def _detections(picture: Picture, noise: int, rng: np.random.Generator) -> Iterator[Record]:
    """Yield a picture's detections, without crowds."""
    scene = picture.scene
    for thing, record in zip(scene.things, coco.things(picture), strict=True):
        if thing.crowd:
            continue
        category, chance = record["category_id"], rng.uniform()
        if chance < 0.15:
            yield _detection(picture, category, thing.box, UNSURE, rng)
        elif chance < 0.3:
            shift = FAR_OFF * (thing.box[2] - thing.box[0])
            shift = -shift if thing.box[0] > scene.width / 2 else shift
            x0, y0, x1, y1 = thing.box
            yield _detection(picture, category, (x0 + shift, y0, x1 + shift, y1), SURE, rng)
        else:
            yield _detection(picture, category, thing.box, SURE, rng)
            if chance > 0.75:
                yield _detection(picture, int(rng.choice(_IDS)), thing.box, SURE, rng)
    for _ in range(noise):
        x0, y0 = rng.uniform(0, 0.7, 2) * (scene.width, scene.height)
        sides = rng.uniform(12, 70, 2)
        box = float(x0), float(y0), float(x0 + sides[0]), float(y0 + sides[1])
        yield _detection(picture, int(rng.choice(_IDS)), box, (0.2, 0.6), rng)


def _detection(
    picture: Picture,
    category: int,
    box: tuple[float, float, float, float],
    scores: tuple[float, float],
    rng: np.random.Generator,
) -> Record:
    """Return the record of a box whose sides are moved at random, within the picture."""
    limits = np.array([picture.scene.width, picture.scene.height] * 2)
    sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    x0, y0, x1, y1 = np.clip(np.array(box) + rng.uniform(-SHAKEN, SHAKEN, 4) * sides, 0, limits)
    return {
        "image_id": picture.number,
        "category_id": category,
        "bbox": [round(float(value), 2) for value in (x0, y0, x1 - x0, y1 - y0)],
        "score": round(float(rng.uniform(*scores)), 3),
    }
