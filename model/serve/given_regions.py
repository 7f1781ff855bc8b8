"""The regions of a command line: boxes, masks, run lengths, and the detections of any detector.

--region 12,30,200,310                        a box: x1,y1,x2,y2, pixels of the upright picture
--region mask.png                             a mask: its pixels that are not black
--region '{"size": [480, 640], "counts": "..."}'      COCO's run lengths
--region region.json                          the same in a file, or a list of them
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from model.errors import InputError
from model.picture import read_picture
from model.regions import Region
from schemas.errors import InputFileError, UsageError
from schemas.geometry import xyxy
from schemas.json_decoding import decode, decode_any
from schemas.json_lines import read_file
from schemas.mask import RunLengths

_NUMBER = r"\s*([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)\s*"
_BOX = re.compile(",".join([_NUMBER] * 4), re.IGNORECASE)
_LIKE_BOX = re.compile(r"[-+0-9.,;\s]+")
_FORMS = 'a box x1,y1,x2,y2, a picture of a mask, or run lengths {"size": [h, w], "counts": ...}'


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A line of COCO's results format."""

    image_id: int | str
    bbox: tuple[float, float, float, float] | None = None  # x, y, width, height; pixels
    score: float | None = None
    segmentation: RunLengths | None = None
    category_id: int | str | None = None

    def region(self) -> Region:
        """Return the region, as `model.regions` reads it.

        Raises:
            InputError: it has neither box nor mask.
        """
        if self.segmentation is not None:
            mask = {"size": self.segmentation.size, "counts": self.segmentation.counts}
            return {"mask": mask, "bbox": None if self.bbox is None else xyxy(*self.bbox)}
        if self.bbox is None:
            raise InputError("a detection without bbox and segmentation")
        return {"bbox": xyxy(*self.bbox)}


_DETECTIONS = msgspec.json.Decoder(list[Detection])


def given_regions(words: Sequence[str]) -> list[Region]:
    """Return the regions that a command line names, each in one of the forms above.

    Raises:
        UsageError: it is in none of them.
        InputFileError: a file cannot be read.
    """
    return [region for word in words for region in _given(word)]


def detected_regions(path: Path, image_id: str, min_score: float) -> list[Detection]:
    """Return the detections of a picture, in the order of the file.

    Args:
        path: a file in COCO's results format: `[{"image_id": 1, "bbox": [x, y, w, h], "score": 0.9,
            "category_id": 3}, ...]`; `segmentation` holds run lengths where there are masks.
        image_id: of the picture.
        min_score: the least score; detections without a score stay.

    Raises:
        InputFileError: the file cannot be read.
        UsageError: no detection of the picture is left.
    """
    try:
        detections = decode(_DETECTIONS, read_file(path))
    except msgspec.DecodeError as error:
        raise InputFileError(f"{path}: expected COCO's results, a list: {error}") from None
    mine = [each for each in detections if str(each.image_id) == image_id]
    if not mine:
        known = list(dict.fromkeys(str(each.image_id) for each in detections))
        shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise UsageError(f"--image-id {image_id}: {path} has none, but {shown or 'is empty'}")
    kept = [each for each in mine if each.score is None or each.score >= min_score]
    if not kept:
        best = max(each.score for each in mine if each.score is not None)
        raise UsageError(
            f"--min-score {min_score:g}: of {len(mine)} detections of image {image_id} the best "
            f"has {best:g}"
        )
    return kept


def _given(word: str) -> Iterator[Region]:
    if match := _BOX.fullmatch(word):
        yield _box(word, match.groups())
    elif _LIKE_BOX.fullmatch(word):
        raise UsageError(f"--region {word}: expected four numbers, x1,y1,x2,y2")
    elif word.lstrip().startswith("{"):
        yield _run_lengths(word, _decoded(word, f"--region {word[:60]}"))
    elif word.endswith(".json"):
        _check_there(word)
        content = _decoded(read_file(word), f"--region {word}")
        for part in content if isinstance(content, list) else [content]:
            yield _run_lengths(word, part)
    else:
        yield _mask(word)


def _box(word: str, numbers: Sequence[str]) -> tuple[float, ...]:
    try:
        box = tuple(float(number) for number in numbers)
    except ValueError:
        box = (math.nan,)
    if not all(map(math.isfinite, box)):
        raise UsageError(f"--region {word}: expected four numbers, x1,y1,x2,y2")
    return box


def _run_lengths(word: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not {"size", "counts"} <= value.keys():
        shown = json.dumps(value)[:60]
        raise UsageError(f"--region {word[:60]}: {shown} is no region; expected {_FORMS}")
    return {"size": value["size"], "counts": value["counts"]}


def _decoded(content: str | bytes, name: str) -> Any:
    try:
        return decode_any(content)
    except msgspec.DecodeError as error:
        raise UsageError(f"{name}: no JSON: {error}; expected {_FORMS}") from None


def _check_there(word: str) -> None:
    if not Path(word).is_file():
        raise UsageError(f"--region {word}: no such file; expected {_FORMS}")


def _mask(word: str) -> Any:
    _check_there(word)
    try:
        pixels = np.asarray(read_picture(Path(word)))
    except InputError as error:
        raise InputFileError(f"--region {word}: {error}") from None
    return pixels.any(axis=2)
