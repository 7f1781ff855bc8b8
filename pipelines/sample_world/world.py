"""Writes the whole sample world under one data root, each data set in its owner's layout.

A data set is one sibling module with a writer, plus its line in `WRITERS`.
"""

from pathlib import Path
from typing import Literal

from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import Progress, World

Size = Literal["small", "medium", "large"]

PICTURES: dict[Size, int] = {"small": 64, "medium": 1_000, "large": 10_000}

WRITERS = (write_coco,)


def write_world(
    root: Path, size: Size = "small", *, seed: int = 0, on_progress: Progress | None = None
) -> None:
    """Draw the sample world and write it under a data root.

    The same size and seed give the same bytes on every run. A larger world holds the pictures
    of a smaller one, unchanged.

    Args:
        root: the folder to write into; made where it is missing.
        size: how many pictures each data set has: 64, 1,000 or 10,000.
        seed: another seed draws another world.
        on_progress: called as (done, total) after each picture, by one data set after another.
    """
    world = World(seed=seed, pictures=PICTURES[size])
    for write in WRITERS:
        write(root, world, on_progress)
