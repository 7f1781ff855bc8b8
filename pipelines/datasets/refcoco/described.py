"""Images of RefCOCO while they wait for their bin, and how a bin is read.

One worker reads the files of a split, each once. It also chooses expressions that are absent from
an image, for which it needs those of the whole split. Boxes are decoded bin by bin, by all workers.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco.categories import Categories
from pipelines.datasets.coco.detections import Names
from pipelines.datasets.coco.layout import read_regions
from pipelines.datasets.coco.records import decode_annotations
from pipelines.datasets.common.entries import rejections
from pipelines.datasets.common.packed import Opened
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.candidates import candidates_among
from pipelines.datasets.refcoco.sentences import Images, Sentence, expressions
from schemas.item import AbsentExpression, Expression
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo, LabelSet
from schemas.source import Entry, SourceImage, SourceRegion, SplitInput, Store


class Boxes(NamedTuple):
    """The owner's boxes in an image: regions, or annotations in COCO's layout."""

    regions: tuple[SourceRegion, ...] = ()
    annotations: bytes = b"[]"  # a JSON list


class Described(msgspec.Struct, array_like=True, gc=False):
    """An image with its sentences, whose boxes are still to be read."""

    image: ImageInfo
    items: tuple[Expression, ...]
    refused: list[Rejection]  # of sentences
    absent: tuple[AbsentExpression, ...]
    boxes: Boxes
    detections: bytes | None  # a JSON list; None: the request gives no detections


class Named(NamedTuple):
    """What the boxes of a split are called by."""

    categories: Categories  # of annotations
    labels: LabelSet | None  # brief
    detections: Names  # the categories of detections


def read_described(
    named: Named, split: SplitInput, store: Store, some: Described
) -> Iterator[Entry]:
    """Yield the entries of an image.

    An image with candidates keeps, of the owner's regions, only those that a sentence refers to.
    """
    del store
    yield from some.refused
    annotations = decode_annotations(some.boxes.annotations)
    regions = yield from read_regions(split, annotations, named.categories)
    regions += some.boxes.regions
    if some.detections is not None:
        image_id = some.image.image_id
        regions = yield from _referents(split, regions, some.items)
        regions += yield from candidates_among(split, image_id, some.detections, named.detections)
    yield SourceImage(some.image, regions, some.items, named.labels, some.absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A split whose files were read."""

    split: SplitInput
    images: Images
    sentences: Mapping[ItemId, Sequence[Sentence]]
    boxes_of: Callable[[ItemId], Boxes]
    shards: int
    categories: Categories
    labels: LabelSet | None  # brief
    size: int  # bytes of boxes, approximately

    def opened(self) -> Opened[Described]:
        """Return the images that are read."""
        usable = self.images.usable
        chosen = {str(number): number for number in usable if number in self.images.chosen}
        candidates = self.images.candidates
        names = {} if candidates is None else candidates.names
        named = Named(self.categories, self.labels, names)
        return Opened(
            image_ids=chosen,
            kind=Described,
            picture_of=lambda image_id: self._described(chosen[image_id]),
            read=partial(read_described, named),
            size=self.size,
        )

    def _described(self, number: ItemId) -> Described:
        images = self.images
        items, refused = expressions(self.split, self.sentences[number])
        candidates = images.candidates
        return Described(
            image=replace(images.usable[number], shards=self.shards),
            items=items,
            refused=refused,
            absent=images.absent(number, items),
            boxes=self.boxes_of(number),
            detections=None if candidates is None else candidates.detections(int(number)),
        )


def _referents(
    split: SplitInput, regions: Iterable[SourceRegion], items: Iterable[Expression]
) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
    """Yield rejections of regions that no sentence refers to, and return the other regions."""
    spoken_of = {item.region_id for item in items}
    cause = Rejected(Reason.NOT_USED, "no sentence is about it, and a detector's boxes are offered")
    others = [region.region_id for region in regions if region.region_id not in spoken_of]
    yield from rejections(split, Kind.ANNOTATION, [(name, cause) for name in others])
    return tuple(region for region in regions if region.region_id in spoken_of)
