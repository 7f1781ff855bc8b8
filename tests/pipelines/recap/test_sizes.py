"""The numbers of regions by size, written out by hand."""

from pipelines.recap.sizes import size_counts
from schemas.geometry import Box
from schemas.manifest import SizeCount
from schemas.sample import ImageInfo, Region, ScreenedImage

INFO = ImageInfo("recapd", "train", "7", "7.jpg", "", 640, 480, 100, "CC", 1)
BOXES: dict[str, Box] = {
    "thin": (0, 0, 400, 15.9),
    "16": (0, 0, 16, 300),
    "31": (5, 5, 36, 400),
    "32": (0, 0, 32, 32),
    "large": (0, 0, 600, 300),
}


def image(*names: str) -> ScreenedImage:
    return ScreenedImage(INFO, tuple(Region(name, BOXES[name]) for name in names))


def test_regions_are_counted_by_their_shorter_side() -> None:
    counts = size_counts([image(*BOXES), image("16")], [image("31", "large")])
    assert list(counts.items()) == [
        ("0", SizeCount(regions=1, kept=0)),
        ("16", SizeCount(regions=3, kept=1)),
        ("32", SizeCount(regions=1, kept=0)),
        ("256", SizeCount(regions=1, kept=1)),
    ]
