"""The table of all data sets, with a line for each data set.

To add a data set to the project, write a module that declares its `DatasetSpec`, and import and
list it here. Others' data sets, see `others`, stand behind ours.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pipelines.datasets.coco.source import SPEC as COCO
from pipelines.datasets.dlc_bench.source import SPEC as DLC_BENCH
from pipelines.datasets.flickr30k.source import SPEC as FLICKR30K
from pipelines.datasets.gar_bench.source import SPEC as GAR_BENCH
from pipelines.datasets.llava.pretrain import SPEC as LLAVA_PRETRAIN
from pipelines.datasets.llava.source import SPEC as LLAVA
from pipelines.datasets.lvis.source import SPEC as LVIS
from pipelines.datasets.others import VARIABLE, others_specs
from pipelines.datasets.pope.source import SPEC as POPE
from pipelines.datasets.refcoco.source import SPECS as REFCOCO
from pipelines.datasets.spec import DatasetSpec
from pipelines.datasets.v3det.source import SPEC as V3DET
from pipelines.datasets.vcr.source import SPEC as VCR
from pipelines.datasets.visual_genome.source import SPEC as VISUAL_GENOME
from prompts.catalog import WORDING_SETS
from schemas.errors import UsageError
from schemas.near import near
from schemas.style import Style


def build_table(specs: Iterable[DatasetSpec]) -> dict[str, DatasetSpec]:
    """Return data sets by name, in the order given.

    Raises:
        ValueError: two data sets have the same name, or a declaration lacks a field.
    """
    specs = tuple(specs)
    if repeated := [name for name, n in Counter(spec.name for spec in specs).items() if n > 1]:
        raise ValueError(f"two data sets have the name {repeated[0]!r}: expected one line of each")
    for spec in specs:
        for fault in spec.faults(WORDING_SETS):
            raise ValueError(f"data set {spec.name!r}: {fault}")
    return {spec.name: spec for spec in specs}


OURS: Mapping[str, DatasetSpec] = build_table(
    (
        COCO,
        DLC_BENCH,
        FLICKR30K,
        GAR_BENCH,
        LLAVA,
        LLAVA_PRETRAIN,
        LVIS,
        POPE,
        *REFCOCO,
        V3DET,
        VCR,
        VISUAL_GENOME,
    )
)


class _Catalog(Mapping[str, DatasetSpec]):
    """All data sets by name: ours, and others', which are imported at the first look."""

    def __init__(self) -> None:
        self._table: dict[str, DatasetSpec] = {}
        self._named: str | None = None  # the modules that the table was made of

    def _known(self) -> dict[str, DatasetSpec]:
        named = os.environ.get(VARIABLE, "")
        if self._named != named:
            try:
                self._table = build_table((*OURS.values(), *others_specs()))
            except ValueError as error:
                raise UsageError(str(error)) from None
            self._named = named
        return self._table

    def __getitem__(self, name: str) -> DatasetSpec:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


CATALOG: Mapping[str, DatasetSpec] = _Catalog()


def papers_caps(style: Style) -> dict[str, int]:
    """Return the papers' caps on regions per image in a style, by data set."""
    caps = {name: spec.boxes_per_image.get(style) for name, spec in CATALOG.items()}
    return {name: cap for name, cap in caps.items() if cap is not None}


def dataset(name: str) -> DatasetSpec:
    """Return a data set by name.

    Raises:
        UsageError: no data set has the name; the message lists all names.
    """
    if name not in CATALOG:
        raise UsageError(f"there is no source {name!r}; {near(name, sorted(CATALOG))}")
    return CATALOG[name]
