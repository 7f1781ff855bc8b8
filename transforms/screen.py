"""Screen: which regions of an image can be used, and in what form.

Crowds go; boxes are clipped to the image; masks of any form become run lengths; category names
must be showable. A region that fails is rejected with its reason and the others go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from schemas.geometry import fit_box
from schemas.ledger import Stage
from schemas.mask import Mask, parse_segmentation
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, Region, ScreenedImage
from schemas.source import SourceImage, SourceRegion
from schemas.text import shown_name
from transforms.accounting import Book, BookedDoFn, booked


def screen_image(found: SourceImage, book: Book) -> ScreenedImage:
    """Return the image with its usable regions."""
    image = found.image
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(found.regions))
    regions = []
    for region in found.regions:
        try:
            regions.append(_screen_region(image, region, book))
        except Rejected as cause:
            book.reject(image, Kind.ANNOTATION, region.region_id, cause)
    book.kept(image, Kind.IMAGE)
    book.kept(image, Kind.ANNOTATION, len(regions))
    return ScreenedImage(image, found.label_set, tuple(regions))


def _screen_region(image: ImageInfo, region: SourceRegion, book: Book) -> Region:
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    if region.crowd:
        raise Rejected(Reason.CROWD, "marks a group of objects, expected a single one")
    shown_name(region.category)
    box, clipped = fit_box(region.bbox, image.width, image.height)
    mask = parse_segmentation(region.segmentation, image.height, image.width)
    if clipped:
        book.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    if mask and _is_blank(mask):
        mask = None
        book.repaired(image, Kind.ANNOTATION, Repair.MASK_EMPTY)
    return Region(region_id=region.region_id, bbox=box, mask=mask, category=region.category)


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0


class _ScreenImage(BookedDoFn):
    stage = Stage.SCREEN

    def process(self, element: SourceImage) -> Iterator[Any]:
        yield screen_image(element, self.book)
        yield from self.settle()
        self.progress.add()


@dataclass
class ScreenRegions(beam.PTransform[PCollection[SourceImage], Any]):
    """SourceImage -> ScreenedImage, with rejections and tallies beside it."""

    def expand(self, pcoll: PCollection[SourceImage]) -> Any:
        """Apply `screen_image` to every image."""
        return pcoll | booked(_ScreenImage())
