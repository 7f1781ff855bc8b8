"""The whole sample world under one data root, each data set in its owner's layout.

Each data set has a module with a writer in this package, and lines in `SOURCES` and `WRITERS`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.detections import write_detections
from pipelines.sample_world.dlc_bench import write_dlc_bench
from pipelines.sample_world.flickr30k import write_flickr30k
from pipelines.sample_world.gar_bench import write_gar_bench
from pipelines.sample_world.llava import write_llava
from pipelines.sample_world.llava_pretrain import write_llava_pretrain
from pipelines.sample_world.look import HARD, PROOF, Look
from pipelines.sample_world.lvis import write_lvis
from pipelines.sample_world.pope import write_pope
from pipelines.sample_world.refcoco import write_refcoco, write_refcoco_plus, write_refcocog
from pipelines.sample_world.scene import World
from pipelines.sample_world.v3det import write_v3det
from pipelines.sample_world.vcr import write_vcr
from pipelines.sample_world.visual_genome import write_visual_genome

Size = Literal["small", "medium", "large"]
Preset = Literal["hard", "proof"]
WorldProgress = Callable[[int, int, int, int], None]

LOOKS: dict[Preset, Look] = {"hard": HARD, "proof": PROOF}

# Pictures of COCO by preset and size; three quarters of them are in its split to train on.
PICTURES: dict[Preset, dict[Size, int]] = {
    "hard": {"small": 64, "medium": 1_000, "large": 10_000},
    "proof": {"small": 400, "medium": 2_800, "large": 12_000},
}

# The sources in the world, each with the name of its set of category names: coco and lvis have
# other categories than their owners' files. None: the source's own name.
SOURCES: Mapping[str, str | None] = {
    "coco": "Shapes-15",
    "dlc_bench": None,
    "flickr30k": None,
    "gar_bench": None,
    "llava": None,
    "llava_pretrain": None,
    "lvis": "Figures-15",
    "pope": None,
    "refcoco": None,
    "refcoco_plus": None,
    "refcocog": None,
    "v3det": None,
    "vcr": None,
    "visual_genome": None,
}

# The data sets of the preset `proof`: those that the recipe of this name or an evaluation reads.
PROOF_WRITERS = (
    write_coco,
    write_lvis,
    write_refcocog,
    write_detections,
    write_visual_genome,
    write_vcr,
    write_v3det,
    write_llava,
    write_pope,
    write_dlc_bench,
    write_gar_bench,
)

WRITERS = (
    write_coco,
    write_lvis,
    write_refcoco,
    write_refcoco_plus,
    write_refcocog,
    write_detections,
    write_visual_genome,
    write_flickr30k,
    write_vcr,
    write_v3det,
    write_llava,
    write_llava_pretrain,
    write_pope,
    write_dlc_bench,
    write_gar_bench,
)


def write_world(
    root: Path,
    size: Size = "small",
    *,
    preset: Preset = "hard",
    seed: int = 0,
    on_progress: WorldProgress | None = None,
) -> None:
    """Draw the sample world and write its files below a data root.

    The same size and seed give the same bytes on every run. A larger world holds the pictures
    of a smaller one, unchanged.

    Args:
        root: the folder to write into, which is made if it is missing.
        size: the number of COCO's pictures: 64, 1,000 or 10,000. LVIS, RefCOCO, LLaVA and POPE are
            about them too; other data sets have three pictures for every eight of COCO's.
        preset: `hard`, or `proof`: a world that a tiny model can learn, of ten data sets, most
            of them with 400, 2,800 or 12,000 pictures.
        seed: the seed of the world; another seed gives another world.
        on_progress: called after each picture with the number of the data set, the number of all,
            and how many of its pictures are done, of how many.
    """
    world = World(seed=seed, pictures=PICTURES[preset][size], look=LOOKS[preset])
    writers = WRITERS if preset == "hard" else PROOF_WRITERS
    for number, write in enumerate(writers, start=1):
        write(root, world, on_progress and partial(on_progress, number, len(writers)))
