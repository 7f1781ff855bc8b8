"""Every data set there is: one line each."""

from collections.abc import Mapping

from pipelines.datasets import (
    coco,
    flickr30k,
    llava,
    llava_pretrain,
    lvis,
    pope,
    refcoco,
    v3det,
    vcr,
    visual_genome,
)
from pipelines.datasets.spec import DatasetSpec
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
