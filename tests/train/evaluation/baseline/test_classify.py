"""The baseline's predictions: crops, names and entries as they belong together."""

import math
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from schemas.errors import InputFileError
from train.evaluation.baseline.classify import classify, crop
from train.evaluation.metrics.classification import classification
from train.evaluation.questions import read_questions
from train.evaluation.run import join


class ByTrueName:
    """A classifier that knows the category of each crop, and keeps what it was asked."""

    def __init__(self, names):
        self.names = list(names)
        self.calls = []

    def probabilities(self, crops, names):
        self.calls.append((list(crops), names))
        true = [self.names.pop(0) for _ in crops]
        return np.array([[0.75 if name == each else 0.25 for name in names] for each in true])


@pytest.fixture(scope="module")
def rows(build_of, rows_of):
    return rows_of(build_of("eval_v3det"))


@pytest.fixture(scope="module")
def questions(rows):
    return read_questions(rows)


def true_names(questions):
    return [entry.references[0] for question in questions for entry in question.entries]


def test_each_entry_gets_the_name_of_its_own_crop(rows, questions):
    knowing = ByTrueName(true_names(questions))
    predictions = list(classify(questions, rows, knowing, None))
    figures = {figure.name: figure.value for figure in classification(join(questions, predictions))}
    assert figures["accuracy"] == 100
    assert {each.score for each in predictions} == {0.75}
    assert len(predictions) > 64 or len(knowing.calls) == 1
    crops = [part for some, _ in knowing.calls for part in some]
    large = tuple(sorted(set(true_names(questions))))  # a label set that is not stored
    assert {names for _, names in knowing.calls} == {large}
    for question, part in zip(questions, crops, strict=True):
        row = rows[question.number]
        (region,) = row["regions"]
        x0, y0, x1, y1 = region["bbox"]
        with Image.open(BytesIO(row["image"]["bytes"])) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        expected = pixels[math.floor(y0) : math.ceil(y1), math.floor(x0) : math.ceil(x1)]
        assert np.array_equal(np.asarray(part), expected)


def test_stored_names_are_the_choices(rows, questions):
    names = (*sorted(set(true_names(questions))), "one that is nowhere")
    stored = [
        replace(each, entries=tuple(replace(entry, choices=names) for entry in each.entries))
        for each in questions
    ]
    knowing = ByTrueName(true_names(questions))
    list(classify(stored, rows, knowing, None))
    assert {choices for _, choices in knowing.calls} == {names}


def test_entries_with_other_choices_are_named_from_theirs(rows, questions):
    """Predictions come for every entry, whatever the order of the label sets."""
    mixed = []
    for number, each in enumerate(questions[:6]):
        (entry,) = each.entries
        names = (entry.references[0], "other") if number % 2 else ("this", "that", "dog")
        mixed.append(replace(each, entries=(replace(entry, choices=names),)))
    seen = {}

    class First:
        def probabilities(self, crops, names):
            seen[names] = len(crops)
            return np.tile(np.linspace(1, 0.5, len(names)), (len(crops), 1))

    predictions = list(classify(mixed, rows, First(), None))
    assert {each.id for each in predictions} == {each.key[0] for each in mixed}
    by_id = {each.id: each.answer for each in predictions}
    assert all(by_id[each.key[0]] == each.entries[0].choices[0] for each in mixed)
    assert sum(seen.values()) == 6


@pytest.mark.parametrize(
    ("box", "window"),
    [
        ((0, 0, 20, 10), (0, 0, 20, 10)),
        ((2.5, 3.5, 4.1, 4.9), (2, 3, 5, 5)),
        ((2, 3, 2.01, 3.01), (2, 3, 3, 4)),
        ((19.999, 9.999, 20, 10), (19, 9, 20, 10)),
        ((4, 4, 5, 10), (4, 4, 5, 10)),
    ],
)
def test_a_crop_holds_every_pixel_that_the_box_touches(box, window):
    ramp = np.arange(20 * 10, dtype=np.uint8).reshape(10, 20)
    left, top, right, bottom = window
    part = crop(Image.fromarray(ramp), box)
    assert np.array_equal(np.asarray(part), ramp[top:bottom, left:right])


def test_a_question_about_no_region_is_refused(rows, questions):
    (entry,) = questions[0].entries
    other = replace(questions[0], entries=(replace(entry, item_id="none"),))
    with pytest.raises(InputFileError, match="'none', which is no region of its record"):
        list(classify([other], rows, ByTrueName(["dog"]), None))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"image": None}, "has no picture"), ({"width": 7}, r"pixels, expected \(7, ")],
)
def test_a_picture_that_is_missing_or_of_another_size_is_refused(rows, questions, change, message):
    changed = {questions[0].number: rows[questions[0].number] | change}
    with pytest.raises(InputFileError, match=message):
        list(classify(questions[:1], changed, ByTrueName(["dog"]), None))  # type: ignore[arg-type]


def test_nothing_is_predicted_without_questions(rows):
    assert list(classify([], rows, ByTrueName([]), None)) == []
