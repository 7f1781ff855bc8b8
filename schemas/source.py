"""What every source yields: images with their annotations, still as the owner meant them.

A source reads its owner's files and yields `Entry` values: one `SourceImage` per usable image,
one `Rejection` per item it refuses, its split's `SplitFacts`, and `Count`s of what it read and
what it was told to skip.
Boxes are already xyxy pixels; nothing else is judged here, the stages after it do that.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from schemas.geometry import Box
from schemas.ids import bucket
from schemas.rejection import Kind, Rejection
from schemas.sample import ImageInfo, LabelSet

REGION_BYTES = 450  # what a region takes in a shard, about: box, mask, names and its turn
RECORD_BYTES = 400  # what a record takes beside its regions and its picture, about


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to a split, before anything is screened or sampled."""

    images: int
    regions: int
    categories: int
    picture_bytes: int


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides into how many shards a split goes, beside its volume."""

    shard_bytes: int
    embed: bool  # the shards hold the pictures
    record_per_region: bool  # a picture is held once for each of its regions
    per_category: int | None

    def shards(self, volume: Volume) -> int:
        """Return the number of shards; it depends on no order, place or worker."""
        regions = volume.regions
        if self.per_category is not None:
            regions = min(regions, self.per_category * volume.categories)
        images = min(volume.images, regions)
        records = regions if self.record_per_region else images
        total = REGION_BYTES * regions + RECORD_BYTES * records
        if self.embed and images:
            total += volume.picture_bytes * records // volume.images
        return max(1, -(-total // self.shard_bytes))


class SplitInput(msgspec.Struct, frozen=True, kw_only=True):
    """Where one split of a source lies, how much of it is wanted, and which part of that.

    Workers share a split by reading the same files and yielding only the images they own, which
    costs less than sending annotations from one reader to the others.
    """

    source: str
    split: str
    files: dict[str, str]  # role to path, e.g. {"annotations": "/data/coco/annotations/..."}
    pictures: str  # the folder that holds the images
    folder: str  # the same folder below the data root, as references to images name it
    licence: str  # of the annotations
    seed: int
    sizing: Sizing
    label_set: str | None = None  # what the category names are called; None: the owner's own
    limit: int | None = None  # take this many images, chosen by hash; None: all
    part: int = 0  # of `parts`
    parts: int = 1

    def owns(self, image_id: str) -> bool:
        """Tell whether an image, with all that hangs on it, belongs to this part."""
        return self.parts == 1 or bucket(self.parts, "part", image_id) == self.part

    @property
    def leads(self) -> bool:
        """Whether this part also answers for what belongs to no image: file, categories, totals."""
        return self.part == 0


class SourceRegion(msgspec.Struct, frozen=True):
    """One annotated object."""

    region_id: str  # the owner's id
    bbox: Box  # xyxy, pixels of the annotated image; unchecked, may hold NaN
    category: str  # the owner's spelling
    crowd: bool = False
    segmentation: bytes = b""  # the JSON text of a COCO `segmentation`; empty: none


class SourceImage(msgspec.Struct, frozen=True):
    """One image and all that its owner says of it."""

    image: ImageInfo
    label_set: LabelSet  # `brief`
    regions: tuple[SourceRegion, ...]


class SplitFacts(msgspec.Struct, frozen=True):
    """What holds for a split as a whole."""

    source: str
    split: str
    label_set: LabelSet
    shards: int  # into which it goes


class Count(msgspec.Struct, frozen=True):
    """How many items of a kind were read from a file, went no further, or were sampled out."""

    kind: Kind
    outcome: Literal["read", "kept", "sampled_out"]
    number: int


Entry = SourceImage | SplitFacts | Rejection | Count


class Store(Protocol):
    """Where a source reads from; paths are those of its `SplitInput`."""

    def read(self, path: str) -> bytes:
        """Return a whole file."""

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the size in bytes of every file below a folder, by path relative to it."""
