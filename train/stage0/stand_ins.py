"""The classes that stand in for a connector's embeddings while a language model trains alone.

Those of regions are their categories, or all are what a vision tower of stage 0 sees in a picture:
then a region has the same class whatever its source calls it. Image tokens have the classes of
patches in rows without regions, and are left out of all others, which are much shorter so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from model.frame import Frame
from model.image_processor import RegionImageProcessor
from model.picture import read_picture
from schemas.geometry import Box
from train.data.pictures import picture_bytes
from train.data.rows import Row
from train.stage0.dense import BACKGROUND, Categories, patches_in
from train.stage0.tower import DenseTower


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes in the picture of a row; there are none of patches where they are left out."""

    patches: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    regions: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class StandIns:
    """All classes of a build."""

    count: int
    of: Callable[[Sequence[Row]], list[Classes]]  # of some rows, in their order


def from_categories(categories: Categories) -> StandIns:
    """Return the stand-ins of regions by their categories."""

    def classes(rows: Sequence[Row]) -> list[Classes]:
        return [Classes(regions=list(map(categories.label, row["regions"]))) for row in rows]

    return StandIns(count=len(categories), of=classes)


def from_pictures(tower: DenseTower, processor: RegionImageProcessor) -> StandIns:
    """Return the stand-ins of patches and regions by what a tower sees there."""
    tower.eval()

    def classes(rows: Sequence[Row]) -> list[Classes]:
        contents = [picture_bytes(row, None) for row in rows]
        shown = [number for number, content in enumerate(contents) if content is not None]
        seen = [Classes() for _ in rows]
        if shown:
            fitted = [processor.fit(read_picture(contents[number] or b"")) for number in shown]
            with torch.no_grad():
                logits = tower(torch.from_numpy(np.stack([pixels for pixels, _ in fitted])))
            for number, labels, (_, frame) in zip(shown, logits.argmax(-1), fitted, strict=True):
                patches = labels.numpy()
                boxes = [region["bbox"] for region in rows[number]["regions"]]
                regions = [most_frequent(patches, tuple(box), frame) for box in boxes]
                seen[number] = Classes(regions=regions) if boxes else Classes(patches=patches)
        return seen

    return StandIns(count=tower.head.out_features, of=classes)


def most_frequent(patches: NDArray[np.int64], box: Box, frame: Frame) -> int:
    """Return the most frequent class of the patches in a box: background where there is no other.

    Args:
        patches: [P], the classes of all patches of a picture, row by row.
        box: xyxy in the owner's pixels.
        frame: of the picture.
    """
    inside = patches[patches_in(frame.to_model(box), frame, patches.size)]
    things = inside[inside != BACKGROUND]
    return int(np.bincount(things).argmax()) if things.size else BACKGROUND
