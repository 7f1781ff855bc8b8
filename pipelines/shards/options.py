"""In which shard an image goes, and what decides how shards are written."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.columns import BuildStamp
from schemas.ids import RANK_BITS, rank
from schemas.manifest import ImagesMode
from schemas.sample import ImageInfo

SplitKey = tuple[str, str]  # source, split
ShardKey = tuple[str, str, int, int]  # source, split, index, of


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Where shards go and what they hold."""

    output: str
    images: ImagesMode
    pictures: Mapping[SplitKey, str]  # the folder of each split's images
    stamp: BuildStamp


def shard_key(image: ImageInfo) -> tuple[ShardKey, int]:
    """Return the shard of an image, and the rank that orders it there."""
    position = rank("shard", image.source, image.split, image.image_id)
    index = position * image.shards >> RANK_BITS
    return (image.source, image.split, index, image.shards), position
