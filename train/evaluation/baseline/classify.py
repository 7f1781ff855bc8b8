"""Classification of regions by a classifier of crops: predictions to a build's entries.

An entry's answer is the likeliest of its choices, and the score its probability. A label set that
is not stored with its entries is taken from the references of all of them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import InputError
from model.picture import read_picture
from schemas.errors import InputFileError
from schemas.geometry import Box
from schemas.predictions import Prediction
from train.data.pictures import picture_bytes
from train.data.rows import Row, Rows
from train.evaluation.answers import Answer
from train.evaluation.questions import Question

_TOGETHER = 64  # entries, at least, whose crops are in memory at once


class Classifier(Protocol):
    """The interface of classifiers of crops."""

    def probabilities(
        self, crops: Sequence[Image.Image], names: tuple[str, ...]
    ) -> NDArray[np.float32]:
        """Return the probability of each name for each crop, shape (crops, names)."""


def classify(
    questions: Sequence[Question],
    rows: Rows,
    classifier: Classifier,
    image_root: Path | None,
    note_fault: Callable[[Question, str], None] | None = None,
) -> Iterator[Prediction]:
    """Yield the prediction to each entry of the questions whose pictures can be read.

    Args:
        questions: about categories of regions.
        rows: the build's.
        classifier: it names crops.
        image_root: see `picture_bytes`.
        note_fault: is called with a question whose picture cannot be read, and why; None: that is
            an error.

    Raises:
        InputFileError: an entry asks about no region, or a record is damaged.
    """
    large = _references(questions)
    waiting: list[tuple[Answer, Image.Image]] = []
    for question in questions:
        row = rows[question.number]
        try:
            picture = _picture(row, image_root)
        except (InputError, InputFileError) as error:
            if note_fault is None:
                raise
            note_fault(question, str(error))
            continue
        waiting += [(entry, crop(picture, _box(entry))) for entry in question.entries]
        if len(waiting) >= _TOGETHER:
            yield from _named(waiting, classifier, large)
            waiting = []
    yield from _named(waiting, classifier, large)


def crop(picture: Image.Image, box: Box) -> Image.Image:
    """Return the part of a picture that a box touches, in whole pixels.

    Args:
        picture: upright.
        box: xyxy, pixels of the picture, inside it, with an area.
    """
    x0, y0, x1, y1 = box
    return picture.crop((math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)))


def _picture(row: Row, image_root: Path | None) -> Image.Image:
    """Return the picture of a row, upright."""
    content = picture_bytes(row, image_root)
    if content is None:
        raise InputFileError(f"{row['id']} has no picture, of which a region is cut out")
    picture = read_picture(content)
    size = row["width"], row["height"]
    if picture.size != size:
        raise InputFileError(f"{row['id']}: the picture has {picture.size} pixels, expected {size}")
    return picture


def _named(
    crops: Sequence[tuple[Answer, Image.Image]], classifier: Classifier, large: tuple[str, ...]
) -> Iterator[Prediction]:
    """Yield a prediction for each entry and its crop."""
    for names in dict.fromkeys(entry.choices or large for entry, _ in crops):
        some = [(entry, part) for entry, part in crops if (entry.choices or large) == names]
        table = classifier.probabilities([part for _, part in some], names)
        for (entry, _), row in zip(some, table, strict=True):
            best = int(row.argmax())
            yield Prediction(
                id=entry.record,
                turn=entry.turn,
                position=entry.position,
                answer=names[best],
                score=min(1.0, float(row[best])),
            )


def _references(questions: Sequence[Question]) -> tuple[str, ...]:
    names = {name for each in questions for entry in each.entries for name in entry.references}
    return tuple(sorted(names))


def _box(entry: Answer) -> Box:
    for region in entry.regions:
        if region.region_id == entry.item_id:
            return region.bbox
    raise InputFileError(
        f"{entry.record!r} turn {entry.turn} asks about {entry.item_id!r}, which is no region of "
        "its record: the baseline answers questions about the category of one region"
    )
