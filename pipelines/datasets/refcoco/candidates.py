"""The candidates among which an evaluation on RefCOCO chooses: the boxes of a detector.

The candidates of a picture are the 30 boxes with the highest scores, of at least 0.3. Besides
the candidates, an image keeps the owner's boxes that sentences are about, from which the task
(`prompts.evaluation.choice`) decides which candidates are right.

Only detections in pictures of the split count as read; those in other pictures belong to another
split, or to none. Pictures are identified by COCO's number.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from pipelines.datasets.coco.detections import (
    Names,
    distinct_detections,
    image_number,
    read_detections,
    surest,
)
from pipelines.datasets.common.grouping import ItemsByImage, group_by_image
from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.raw_items import ItemId
from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.rejection import Kind
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceRegion, SplitInput, Store, Volume

_MIN_SCORE = 0.3  # the lowest score of a candidate
_MAX_CANDIDATES = 30  # candidates of one picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The boxes of a detector in the pictures of a split."""

    split: SplitInput
    names: Names
    grouped: ItemsByImage

    def detections(self, number: int) -> bytes:
        """Return the detections in a picture, by its COCO number, as a JSON list."""
        return b"[%b]" % b",".join(self.grouped.raws.get(number, []))

    def shards(self, images: Mapping[int, ImageInfo], sentences: Mapping[int, int]) -> int:
        """Return the number of shards of a split, which has a record for each sentence.

        Args:
            images: the images taken, by COCO's number.
            sentences: the number of sentences about each image.
        """
        raws = self.grouped.raws
        boxes = {number: 1 + min(_MAX_CANDIDATES, len(raws.get(number, ()))) for number in images}
        volume = Volume(
            images=sum(sentences[number] for number in images),
            regions=sum(sentences[number] * boxes[number] for number in images),
            categories=0,
            picture_bytes=sum(sentences[n] * image.size_bytes for n, image in images.items()),
        )
        return replace(self.split.sizing, record_per_region=False).shards(volume)


def candidates_among(
    split: SplitInput, image_id: str, detections: bytes, names: Names
) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
    """Yield rejections and counts of the detections in a picture; return its candidates.

    Args:
        split: the split of the picture.
        image_id: the COCO number of the picture.
        detections: its detections, as `Candidates.detections` returns them.
        names: the names of their categories.
    """
    raws = decode(RAWS, detections)
    yield Count(Kind.ANNOTATION, "read", len(raws))
    regions = yield from distinct_detections(split, image_id, raws, names)
    sure = [region for region in surest(regions) if (region.score or 0) >= _MIN_SCORE]
    candidates = tuple(sure[:_MAX_CANDIDATES])
    yield Count(Kind.ANNOTATION, "sampled_out", len(regions) - len(candidates))
    return candidates


def read_candidates(
    split: SplitInput, store: Store, numbers: Sequence[ItemId]
) -> Candidates | None:
    """Return the candidates of a split; None if the request gives no detections.

    Args:
        split: the split, with the path of the detections under the role "detections".
        store: the store to read the detections from.
        numbers: the COCO numbers of all pictures of the split.

    Raises:
        InputFileError: a file cannot be used, or no detection is about any of the pictures.
    """
    if "detections" not in split.files:
        return None
    items, names = read_detections(split, store)
    wanted = {int(number) for number in numbers}
    grouped = group_by_image(items, wanted, "detections", image_number)
    if wanted and not grouped.raws:
        raise InputFileError(
            f"{split.files['detections']}: none of its {len(items)} detections has the image_id of "
            f"a picture of {split.source}'s {split.split}. Expected COCO's numbers, such as 397133 "
            "for COCO_train2014_000000397133.jpg: detect in these pictures, or leave the split out."
        )
    return Candidates(split=split, names=names, grouped=grouped)
