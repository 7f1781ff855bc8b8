"""Runs: pixels, and lengths down the columns, come back as they were."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model.runs import Runs
from schemas.mask import from_pixels

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


def runs_by_hand(mask: Any) -> list[tuple[int, int, int]]:
    """Column, first row and the row after the last, of each run, one pixel at a time."""
    height, width = mask.shape
    runs = []
    for column in range(width):
        start = None
        for row in range(height + 1):
            on = row < height and mask[row, column]
            if on and start is None:
                start = row
            if not on and start is not None:
                runs.append((column, start, row))
                start = None
    return runs


def lengths_by_hand(mask: Any) -> list[int]:
    """The lengths of runs off and on, over the ends of columns."""
    lengths, on = [0], False
    for pixel in mask.T.ravel():
        if pixel != on:
            lengths.append(0)
            on = pixel
        lengths[-1] += 1
    return lengths


def listed(runs: Runs) -> list[tuple[int, int, int]]:
    return list(zip(runs.columns.tolist(), runs.starts.tolist(), runs.stops.tolist(), strict=True))


@given(MASKS)
def test_runs_of_pixels_and_of_lengths(mask: Any) -> None:
    height, width = mask.shape
    for runs in (
        Runs.of_pixels(mask),
        Runs.of_lengths(lengths_by_hand(mask), height, width),
    ):
        assert listed(runs) == runs_by_hand(mask)
        assert np.array_equal(runs.pixels(), mask)
        if mask.any():
            rows, columns = np.nonzero(mask)
            x0, y0, x1, y1 = runs.bounds
            assert (x0, x1) == (columns.min(), columns.max() + 1)
            assert (y0, y1) == (rows.min(), rows.max() + 1)
        else:
            assert not len(runs)


@given(MASKS, st.data())
def test_empty_lengths_change_nothing(mask: Any, data: st.DataObject) -> None:
    lengths = lengths_by_hand(mask)
    cut = data.draw(st.integers(0, len(lengths)))
    parted = [*lengths[:cut], 0, 0, *lengths[cut:]]
    assert np.array_equal(Runs.of_lengths(parted, *mask.shape).pixels(), mask)
    if cut and lengths[cut - 1] > 1:  # a run in two halves, with nothing between them
        halved = [*lengths[: cut - 1], 1, 0, lengths[cut - 1] - 1, *lengths[cut:]]
        assert np.array_equal(Runs.of_lengths(halved, *mask.shape).pixels(), mask)


def test_the_example_of_the_module() -> None:
    mask = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]], dtype=bool)
    assert listed(Runs.of_pixels(mask)) == [(1, 0, 2), (3, 1, 3)]
    assert listed(Runs.of_lengths(lengths_by_hand(mask), 3, 4)) == [(1, 0, 2), (3, 1, 3)]
    assert lengths_by_hand(mask) == [3, 2, 5, 2]


@given(st.lists(arrays(bool, (5, 4)).filter(lambda mask: bool(mask.any())), min_size=1, max_size=5))
def test_masks_are_read_together_as_each_is_alone(masks: list[Any]) -> None:
    runs = Runs.of_masks([from_pixels(mask).counts for mask in masks], 5, 4)
    assert runs is not None
    assert [listed(each) for each in runs] == [runs_by_hand(mask) for mask in masks]
    assert {(each.height, each.width) for each in runs} == {(5, 4)}


def test_masks_of_which_one_is_unsound_are_not_read_together() -> None:
    sound = from_pixels(np.eye(5, 4, dtype=bool)).counts
    assert Runs.of_masks([sound, "?"], 5, 4) is None
    assert Runs.of_masks([sound, ""], 5, 4) is None
    assert Runs.of_masks([sound], 4, 4) is None
    assert Runs.of_masks([], 5, 4) is None
