"""The rows of a build as examples, ready to be joined: decoded, encoded, with boxes or masks.

Whatever looks random follows from the run's seed, the epoch and the row's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch.utils.data import Dataset

from model.batch import Example
from model.config import IGNORED
from model.processor import RegionProcessor
from model.regions import RegionAs
from model.text.errors import RowTooLong
from schemas.ids import bucket
from train.data.pictures import picture_bytes
from train.data.rows import Rows

RegionsAs = Literal["half", "box", "mask"]  # half: by hash, one or the other for all of a row


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be trained on, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A row ready for training, and what became of its turns."""

    id: str
    example: Example
    supervised: int  # tokens with a loss
    dropped_turns: int  # answers that the longest row has no room for


class TrainingRows(Dataset[TrainingExample | Rejected]):
    """The examples of a build's rows; the key is the epoch and the row's number."""

    def __init__(
        self,
        rows: Rows,
        processor: RegionProcessor,
        *,
        seed: int,
        regions_as: RegionsAs = "half",
        image_root: Path | None = None,
    ) -> None:
        self._rows = rows
        self._processor = processor
        self._seed = seed
        self._regions_as = regions_as
        self._image_root = image_root

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: tuple[int, int]) -> TrainingExample | Rejected:
        """Return an example, or the reason why there is none.

        Raises:
            RegionForgeError: the row or its picture cannot be read; the message names them.
        """
        epoch, number = key
        row = self._rows[number]
        try:
            example = self._processor.encode_row(
                _with_picture(row, self._image_root), self._region_as(row["id"], epoch)
            )
        except RowTooLong as error:
            return Rejected(row["id"], str(error))
        labels = example.labels or []
        supervised = len(labels) - labels.count(IGNORED)
        return TrainingExample(row["id"], example, supervised, example.dropped_turns)

    def _region_as(self, row_id: str, epoch: int) -> RegionAs:
        if self._regions_as != "half":
            return self._regions_as
        return ("box", "mask")[bucket(2, "region", self._seed, epoch, row_id)]


def _with_picture(row: Mapping[str, Any], image_root: Path | None) -> Mapping[str, Any]:
    """Return a row that holds the bytes of its picture."""
    if row["image"] is None:
        return row
    content = picture_bytes(row, image_root)
    return {**row, "image": {**row["image"], "bytes": content}}
