"""A data root with sources in full size, or with a share of their images.

A share is a part of the images with all their annotations. Finished sources are kept; a source
whose writing was interrupted is written again.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bench.full_size_world import coco, flickr30k, llava, lvis, refcoco, v3det, vcr, visual_genome

VERSION = 1  # version of the written data; a new version makes old data obsolete

WRITERS: dict[str, Callable[[Path, float], None]] = {
    "coco": coco.write_coco,
    "flickr30k": flickr30k.write_flickr30k,
    "llava": llava.write_llava,
    "llava_pretrain": llava.write_llava_pretrain,
    "lvis": lvis.write_lvis,
    "refcoco": refcoco.write_refcoco,
    "refcoco_plus": refcoco.write_refcoco_plus,
    "refcocog": refcoco.write_refcocog,
    "v3det": v3det.write_v3det,
    "vcr": vcr.write_vcr,
    "visual_genome": visual_genome.write_visual_genome,
}
_OF_COCO = ("llava", "lvis", "refcoco", "refcoco_plus", "refcocog")  # sources about COCO's pictures


def write_data_root(root: Path, scale: float, sources: Iterable[str]) -> None:
    """Write sources below a folder, and also COCO if a source is about COCO's pictures.

    Args:
        root: the data root; all its sources have the same scale.
        scale: the share of the images to write; 1 is all.
        sources: names of sources in `WRITERS`.
    """
    root.mkdir(parents=True, exist_ok=True)
    wanted = dict.fromkeys(sources)
    if wanted.keys() & set(_OF_COCO):
        wanted = {"coco": None, **wanted}
    made = msgspec.json.encode({"scale": scale, "version": VERSION})
    for source in wanted:
        marker = root / f"{source}.finished.json"
        if marker.exists() and marker.read_bytes() == made:
            continue
        marker.unlink(missing_ok=True)
        WRITERS[source](root, scale)
        marker.write_bytes(made)
