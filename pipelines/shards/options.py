"""The options of the shard writer, and the assignment of images to shards."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from schemas.columns import BuildStamp
from schemas.ids import RANK_BITS, rank
from schemas.manifest import ImagesMode
from schemas.sample import ImageInfo

SplitKey = tuple[str, str]  # source, split
ShardKey = tuple[str, str, int, int]  # source, split, index, of


class InputDigests(msgspec.Struct, frozen=True):
    """The digests of all that decides the shards of a split."""

    identity: str  # of the source: settings, code and input files, without the pictures
    pictures: str  # of the names and sizes of the files in the folder of the pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """The options of the shard writer: the output folder, and the content of shards."""

    output: str
    images: ImagesMode
    pictures: Mapping[SplitKey, str]  # the folder of each split's images
    stamp: BuildStamp
    inputs: Mapping[SplitKey, InputDigests]  # by split
    makings: Mapping[str, str]  # by source, the digest of all that decides what is made of an image
    spool: str | None = None  # the folder where packed images wait; None: in memory


def shard_key(image: ImageInfo) -> tuple[ShardKey, int]:
    """Return the shard of an image, and the rank of the image among the images of the shard."""
    index, position = shard_and_rank(image.source, image.split, image.image_id, image.shards)
    return (image.source, image.split, index, image.shards), position


def shard_and_rank(source: str, split: str, image_id: str, of: int) -> tuple[int, int]:
    """Return the index of an image's shard, of so many, and the rank of the image in the split."""
    position = rank("shard", source, split, image_id)
    return position * of >> RANK_BITS, position
