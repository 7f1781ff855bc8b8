"""The numbers of regions by size, written out by hand."""

from pipelines.recap.sizes import size_counts
from schemas.geometry import Box
from schemas.manifest import SizeCount
from schemas.sample import Region

BOXES: dict[str, Box] = {
    "thin": (0, 0, 400, 15.9),
    "16": (0, 0, 16, 300),
    "31": (5, 5, 36, 400),
    "32": (0, 0, 32, 32),
    "large": (0, 0, 600, 300),
}


def regions(*names: str) -> list[Region]:
    return [Region(name, BOXES[name]) for name in names]


def test_regions_are_counted_by_their_shorter_side() -> None:
    counts = size_counts(regions(*BOXES, "16"), regions("16", "31", "large"), regions("31"))
    assert list(counts.items()) == [
        ("0", SizeCount(regions=1, captioned=0, kept=0)),
        ("16", SizeCount(regions=3, captioned=2, kept=1)),
        ("32", SizeCount(regions=1, captioned=0, kept=0)),
        ("256", SizeCount(regions=1, captioned=1, kept=0)),
    ]
