"""Stage 0 from the command line: `regionforge train --recipe tiny_towers`.

    regionforge train --recipe tiny_towers --shards /proof --output /towers
    regionforge train --recipe tiny_regiongpt_stage1 --shards /proof --output runs/a \\
        --vision /towers/vision --language /towers/language
"""

from dataclasses import replace
from pathlib import Path

from model.checkpoint.new_folder import new_folder
from model.config import RegionConfig
from train.data.build import Build
from train.data.rows import ShardRows
from train.stage0.towers import OnStep, TinyTowers, make_towers


def write_towers(
    config: RegionConfig,
    build: Build,
    output: Path,
    recipe: TinyTowers,
    *,
    split: str = "train",
    on_step: OnStep = lambda tower, step, loss: None,
) -> None:
    """Write the two towers of a tiny model, whole or not at all.

    Args:
        config: of the model.
        build: with regions that have categories.
        output: a new folder.
        recipe: see there.
        split: of the build.
        on_step: called after each step.

    Raises:
        RegionForgeError: the rows cannot be read, or the folder not written.
    """
    rows = ShardRows(build, build.shards(split))
    with new_folder(output) as folder:
        make_towers(config, rows, folder, recipe, on_step)


def shorter(towers: TinyTowers, most: int | None) -> TinyTowers:
    """Return the same settings with at most so many steps of each tower."""
    if most is None:
        return towers
    vision, language = (
        replace(fitting, steps=min(fitting.steps, most))
        for fitting in (towers.vision, towers.language)
    )
    return replace(towers, vision=vision, language=language)
