"""The entries that a source's `parse` yields: unscreened images, rejections, counts and facts.

A source reads its owner's files and yields `Entry` values: one `SourceImage` per usable image,
one `Rejection` per refused item, its split's `SplitFacts`, `Count`s of items that were read, kept,
sampled out or left out with their image, and `Repaired` for repairs of items that it keeps.
Boxes are already xyxy pixels; the stages after it check everything else.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import msgspec

from schemas.classes import StatedClasses
from schemas.geometry import Box
from schemas.item import AbsentExpression, Item
from schemas.rejection import Kind, Rejection, Repair
from schemas.sample import Frame, ImageInfo, LabelSet

Crowds = Literal["reject", "objects"]  # regions marked as crowds are left out, or single objects
MaskVariant = Literal["annotated", "dilated", "eroded"]

REGION_BYTES = 450  # approximate bytes of a region in a shard: box, mask, names and its turn
CAPTION_BYTES = 1_200  # further bytes of a detailed caption, which a record holds twice
RECORD_BYTES = 400  # approximate bytes of a record without regions and picture

# Each shard is one worker's work. A split with more regions than this is written as a multiple of
# so many shards, each of at most so many regions, so that 2, 4 or 8 workers end together.
SHARD_REGIONS = 100_000
SHARD_MULTIPLE = 8


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """The volume of a split before anything is screened or sampled."""

    images: int
    regions: int
    categories: int
    picture_bytes: int


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """The options that decide the number of shards of a split, together with its volume."""

    shard_bytes: int
    embed: bool  # the shards hold the pictures
    record_per_region: bool  # a picture is held once for each of its regions
    per_category: int | None
    captioned: bool = False  # regions come with detailed captions
    choices: float = 0  # questions about each sentence that have a record of their own

    def shards(self, volume: Volume) -> int:
        """Return the number of shards, which is independent of order, paths and workers."""
        regions = volume.regions
        if self.per_category is not None and volume.categories:  # else no cap
            regions = min(regions, self.per_category * volume.categories)
        images = min(volume.images, regions)
        records = regions if self.record_per_region else images
        each = REGION_BYTES + (CAPTION_BYTES if self.captioned else 0)
        total = each * regions + RECORD_BYTES * records
        if self.embed and images:
            total += volume.picture_bytes * records // volume.images
        shards = max(1, -(-total // self.shard_bytes), -(-regions // SHARD_REGIONS))
        if regions > SHARD_REGIONS:
            shards = -(-shards // SHARD_MULTIPLE) * SHARD_MULTIPLE
        return shards


class SplitInput(msgspec.Struct, frozen=True, kw_only=True):
    """A split to read: its files and options."""

    source: str
    split: str
    files: dict[str, str]  # role to path, e.g. {"train": "/data/coco/annotations/..."}
    pictures: str  # the folder that holds the images
    folder: str  # the same folder below the data root, as references to images name it
    licence: str  # of the annotations
    seed: int
    sizing: Sizing
    evaluation: bool = False  # True: questions for scoring a model
    label_set: str | None = None  # the name of the set of category names; None: the owner's name
    owner: str | None = None  # the data set that owns the files; None: the source
    own_file: bool = False  # the file is a user's own
    crowds: Crowds | None = None  # what becomes of regions marked as crowds; None: "reject"
    frame: Frame | None = None  # of its annotations; None: by their size and boxes
    last_part: bool = False  # pictures go by the last part of their names
    # Some task needs to know the classes of an image of which every object is annotated.
    asks_classes: bool = False
    limit: int | None = None  # take this many images, chosen by hash; None: all

    @property
    def file(self) -> str:
        """The path of the file that holds or lists the split; its role is the split's name."""
        return self.files[self.split]


class SourceRegion(msgspec.Struct, frozen=True, gc=False):
    """A region as its owner annotated it, still unchecked."""

    region_id: str  # the owner's id
    bbox: Box  # xyxy, pixels of the annotated image; unchecked, may hold NaN
    category: str | None = None  # the owner's spelling; None: the source has no categories
    crowd: bool = False
    score: float | None = None  # the detector's confidence, where a detector drew it
    segmentation: bytes = b""  # the JSON text of a COCO `segmentation`; empty: no mask
    area: float | None = None  # the owner's, square pixels; unchecked


class SourceImage(msgspec.Struct, frozen=True, gc=False):
    """One image with all its annotations."""

    image: ImageInfo
    regions: tuple[SourceRegion, ...]
    items: tuple[Item, ...] = ()
    label_set: LabelSet | None = None  # `brief`; None: the source has no categories
    # Expressions of other images for questions without an answer; not counted as items.
    absent: tuple[AbsentExpression, ...] = ()
    classes: StatedClasses | None = None  # None: not asked for, or the owner states nothing


class SplitFacts(msgspec.Struct, frozen=True):
    """Facts about a split as a whole."""

    source: str
    split: str
    shards: int  # the number of shards of the split
    label_set: LabelSet | None = None


class Count(msgspec.Struct, frozen=True):
    """A number of items of a kind with one outcome, outside of any image that is yielded.

    `sampled_out` are only items that `--limit` or a cap leaves out, `with_image` items of images
    that are rejected (see `schemas.ledger`).
    """

    kind: Kind
    outcome: Literal["read", "kept", "sampled_out", "with_image"]
    number: int


class Repaired(msgspec.Struct, frozen=True):
    """A repair of kept items that the read stage made, outside of the ledger's balance."""

    kind: Kind
    repair: Repair
    number: int = 1


Entry = SourceImage | SplitFacts | Rejection | Count | Repaired


class Stream(Protocol):
    """A file that is read from its start to its end."""

    def read(self, number: int, /) -> bytes:
        """Return the next bytes, at most so many; none at the end."""


class Store(Protocol):
    """The store that a source reads its files from, by the paths in a `SplitInput`."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`; fewer where the file ends."""

    def open(self, path: str) -> AbstractContextManager[Stream]:
        """Open a file, to read it piece by piece."""

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the size in bytes of every file below a folder, by path relative to it."""
