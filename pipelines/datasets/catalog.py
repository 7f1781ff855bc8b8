"""Every data set there is: one line each."""

from collections.abc import Mapping

from pipelines.datasets.coco import source as coco
from pipelines.datasets.flickr30k import source as flickr30k
from pipelines.datasets.llava import pretrain as llava_pretrain
from pipelines.datasets.llava import source as llava
from pipelines.datasets.lvis import source as lvis
from pipelines.datasets.pope import source as pope
from pipelines.datasets.refcoco import source as refcoco
from pipelines.datasets.spec import DatasetSpec
from pipelines.datasets.v3det import source as v3det
from pipelines.datasets.vcr import source as vcr
from pipelines.datasets.visual_genome import source as visual_genome
from schemas.errors import UsageError

CATALOG: Mapping[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        coco.SPEC,
        flickr30k.SPEC,
        llava.SPEC,
        llava_pretrain.SPEC,
        lvis.SPEC,
        pope.SPEC,
        *refcoco.SPECS,
        v3det.SPEC,
        vcr.SPEC,
        visual_genome.SPEC,
    )
}


def dataset(name: str) -> DatasetSpec:
    """Return a data set by name; an unknown name raises `UsageError` and lists the known."""
    if name not in CATALOG:
        raise UsageError(f"no source {name!r}; the sources are: {', '.join(sorted(CATALOG))}")
    return CATALOG[name]
