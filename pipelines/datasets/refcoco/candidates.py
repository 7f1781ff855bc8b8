"""What a sentence of RefCOCO's has to be matched with in an evaluation: a detector's boxes.

The 30 surest boxes of a picture are candidates, of those whose score is 0.3 at least. Beside them
an image keeps the owner's boxes that sentences are about, which tell the right candidates, and no
others. Which candidates are right, and whether the owner's box has to be one, the task says.

Only what is about a picture that is taken counts as read; detections of other pictures are another
split's, or nobody's. Pictures are known by COCO's number.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from pipelines.datasets.coco.records import ItemId
from pipelines.datasets.common.detections import (
    Names,
    distinct_detections,
    picture_of,
    read_detections,
    surest,
)
from pipelines.datasets.common.entries import rejections
from pipelines.datasets.common.grouping import ByPicture, group_by_picture
from schemas.errors import InputFileError
from schemas.rejection import Kind
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceRegion, SplitInput, Store, Volume

LOWEST = 0.3  # score
MOST = 30  # of one picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What a detector found in a split's pictures."""

    split: SplitInput
    names: Names
    found: ByPicture

    def refused(self) -> Iterator[Entry]:
        """Yield the detections that name no picture; to be asked for once in a split."""
        yield Count(Kind.ANNOTATION, "read", len(self.found.refused))
        yield from rejections(self.split, Kind.ANNOTATION, self.found.refused)

    def of(self, number: int) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
        """Yield what is left out of the detections of a picture that the part owns; return others.

        Args:
            number: COCO's, of the picture.
        """
        raws = self.found.raws.get(number, [])
        yield Count(Kind.ANNOTATION, "read", len(raws))
        found = yield from distinct_detections(self.split, str(number), raws, self.names)
        taken = [region for region in surest(found) if (region.score or 0) >= LOWEST][:MOST]
        yield Count(Kind.ANNOTATION, "sampled_out", len(found) - len(taken))
        return tuple(taken)

    def shards(self, images: Mapping[int, ImageInfo], sentences: Mapping[int, int]) -> int:
        """Return into how many shards a split goes, which has a record for each sentence.

        Args:
            images: that are taken, by number.
            sentences: how many there are about each.
        """
        listed = {number: 1 + min(MOST, self.found.numbers.get(number, 0)) for number in images}
        volume = Volume(
            images=sum(sentences[number] for number in images),
            regions=sum(sentences[number] * listed[number] for number in images),
            categories=0,
            picture_bytes=sum(sentences[n] * image.size_bytes for n, image in images.items()),
        )
        return replace(self.split.sizing, record_per_region=False).shards(volume)


def read_candidates(
    split: SplitInput, store: Store, numbers: Sequence[ItemId]
) -> Candidates | None:
    """Return what a detector found, None where no detections were given.

    Args:
        split: with detections under the role "detections".
        store: to read them from.
        numbers: COCO's, of all pictures of the split.

    Raises:
        InputFileError: a file cannot be used, or no detection is about any of the pictures.
    """
    if "detections" not in split.files:
        return None
    items, names = read_detections(split, store)
    wanted = {int(number): split.owns(str(number)) for number in numbers}
    found = group_by_picture(items, wanted, "detections", picture_of)
    if wanted and not found.numbers:
        raise InputFileError(
            f"{split.files['detections']}: none of its {len(items)} detections has the image_id of "
            f"a picture of {split.source}'s {split.split}. Expected COCO's numbers, such as 397133 "
            "for COCO_train2014_000000397133.jpg: detect in these pictures, or leave the split out."
        )
    return Candidates(split=split, names=names, found=found)
