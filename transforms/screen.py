"""Screen: which regions of an image can be used, and what is said of them, and in what form.

Crowds go; boxes are clipped to the image; masks of any form become run lengths; category names
must be showable; text is disarmed. What fails is rejected with its reason and the rest goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from schemas.geometry import fit_box
from schemas.item import Item
from schemas.ledger import Stage
from schemas.mask import Mask, parse_segmentation
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo, Region, ScreenedImage
from schemas.source import Masks, SourceImage, SourceRegion
from schemas.text import shown_name, storable
from transforms.ledger import Book, BookedDoFn, booked
from transforms.mask_ablation import worsened
from transforms.screen_items import screen_item


def screen_image(found: SourceImage, book: Book, masks: Masks = "annotated") -> ScreenedImage:
    """Return the image with its usable regions and items."""
    image = found.image
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(found.regions))
    regions = []
    refused = {}
    for region in found.regions:
        try:
            regions.append(_screen_region(image, region, book, masks))
        except Rejected as cause:
            refused[region.region_id] = cause
            book.reject(image, Kind.ANNOTATION, region.region_id, cause)
    book.kept(image, Kind.IMAGE)
    book.kept(image, Kind.ANNOTATION, len(regions))
    items = _screen_items(found, regions, refused, book) if found.items else ()
    return ScreenedImage(image, tuple(regions), items, found.label_set)


def _screen_items(
    found: SourceImage, regions: Sequence[Region], refused: Mapping[str, Rejected], book: Book
) -> tuple[Item, ...]:
    known: dict[str, Region | Rejected] = {
        **refused,
        **{region.region_id: region for region in regions},
    }
    has_picture = found.image.file_name is not None
    items = []
    for item in found.items:
        try:
            items.append(screen_item(item, known, has_picture=has_picture))
        except Rejected as cause:
            book.reject(found.image, item.kind, item.id, cause)
    book.items_read(found.image, found.items)
    book.items_kept(found.image, items)
    return tuple(items)


def _screen_region(image: ImageInfo, region: SourceRegion, book: Book, masks: Masks) -> Region:
    assert image.width is not None, "regions need an image"
    assert image.height is not None, "regions need an image"
    if region.crowd:
        raise Rejected(Reason.CROWD, "marks a group of objects, expected a single one")
    category = region.category
    if category is not None:
        category = storable(category)
        shown_name(category)
    box, clipped = fit_box(region.bbox, image.width, image.height)
    mask = parse_segmentation(region.segmentation, image.height, image.width)
    if clipped:
        book.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    if mask and _is_blank(mask):
        mask = None
        book.repaired(image, Kind.ANNOTATION, Repair.MASK_EMPTY)
    if mask and masks != "annotated":
        mask = worsened(mask, masks)
    return Region(region.region_id, box, mask, category, None, region.score)


def _is_blank(mask: Mask) -> bool:
    # A mask with a pixel has at least two runs; short strings alone can hold fewer.
    return len(mask.counts) <= 7 and mask.area() == 0


class _ScreenImage(BookedDoFn):
    stage = Stage.SCREEN

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    def process(self, element: Sequence[SourceImage]) -> Iterator[Any]:
        yield [screen_image(image, self.book, self._masks) for image in element]
        yield from self.settle()
        self.progress.add(len(element))


@dataclass
class ScreenRegions(beam.PTransform[PCollection[list[SourceImage]], Any]):
    """Batches of SourceImage -> of ScreenedImage, with rejections and tallies beside them."""

    masks: Masks = "annotated"

    def expand(self, pcoll: PCollection[list[SourceImage]]) -> Any:
        """Apply `screen_image` to every image."""
        return pcoll | booked(_ScreenImage(self.masks))
