"""Marks that people give to captions in a report, and the threshold by these.

An example of a file, which the key for saving writes:

    {"marks_version": "1", "output": "/recapd", "scorer": "ViT-L-14 openai, ..., view box",
     "marks": [{"id": "recapd/train/7/region_detailed_caption/0", "region": "71", "mark": "good",
                "clip": 0.2317, "outcome": "kept"}]}
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from pipelines.recap.clip.calibrate import Calibration, CalibrationRun, MarkCount
from pipelines.recap.clip.curve import Scores, curve, roc_area
from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import decode

_LEAST = 5  # good captions, and bad ones, by which a threshold is chosen


class Mark(msgspec.Struct, frozen=True):
    """What a person thinks of a caption."""

    id: str  # the record's; of a rejected caption: source, split and image
    region: str  # the region's id; empty: the record as a whole
    mark: Literal["good", "bad"]
    clip: float | None  # its CLIP similarity; None: it was not scored


class Marks(msgspec.Struct, frozen=True):
    """The marks in a file."""

    marks_version: Literal["1"]
    scorer: str  # the identity of the scorer of all similarities, and its view of a region
    marks: list[Mark]


def load_marks(paths: Sequence[str]) -> Marks:
    """Return the marks in some files; of several marks of a caption the last one counts.

    Raises:
        UsageError: a file cannot be read, or the files are of captions with different scorers.
    """
    every = [_load(path) for path in paths]
    scorers = list(dict.fromkeys(each.scorer for each in every))
    if len(scorers) > 1:
        raise UsageError(
            f"--marks: similarities of different scorers cannot be compared: {', '.join(scorers)}"
        )
    last = {(mark.id, mark.region): mark for each in every for mark in each.marks}
    return Marks("1", scorers[0], list(last.values()))


def calibrate_by_marks(marks: Marks, false_accept: float | None = None) -> CalibrationRun:
    """Choose the threshold that agrees best with marks.

    Args:
        marks: the marks; those of captions without a score are left out.
        false_accept: the share of bad captions that may pass; None: the fewest errors of both
            kinds.

    Raises:
        UsageError: too few captions with a score are marked as good, or as bad.
    """
    good, bad = _scores(marks, "good"), _scores(marks, "bad")
    if min(len(good), len(bad)) < _LEAST:
        raise UsageError(
            f"--marks: {len(good)} captions with a score are good and {len(bad)} bad, expected "
            f"{_LEAST} or more of each; captions are scored by `regionforge recap --threshold S`"
        )
    errors = curve(good, bad)
    index = errors.balanced() if false_accept is None else errors.accepting(false_accept)
    calibration = Calibration(
        threshold=float(errors.thresholds[index]),
        false_accept=float(errors.false_accepts[index]),
        false_reject=float(errors.false_rejects[index]),
        wanted_false_accept=false_accept,
        roc_area=roc_area(good, bad),
        pairs=len(good) + len(bad),
        scorer=marks.scorer,
        seed=0,
        marks=MarkCount(good=len(good), bad=len(bad)),
    )
    return CalibrationRun(calibration, errors, good, bad, filtered=False, sharp_area=None)


def _load(path: str) -> Marks:
    try:
        return decode(_DECODER, files.FileStore().read(path))
    except InputFileError as error:
        raise UsageError(f"--marks: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--marks {path}: {error}; expected what a page of `regionforge report` saves"
        ) from None


def _scores(marks: Marks, wanted: str) -> Scores:
    return np.array(
        [each.clip for each in marks.marks if each.mark == wanted and each.clip is not None],
        dtype=np.float64,
    )


_DECODER = msgspec.json.Decoder(Marks)
