"""Thresholds, their errors and the area below the curve, against plain counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recap.clip.curve import curve, roc_area
from schemas.errors import BuildError

QUARTERS = st.lists(st.integers(-5, 5), min_size=1, max_size=20)
SCORES = QUARTERS.map(lambda quarters: np.array(quarters) / 4)


@given(SCORES, SCORES)
def test_the_curve_is_what_counting_gives(matched, shuffled):
    errors = curve(matched, shuffled)
    for k, threshold in enumerate(errors.thresholds):
        assert errors.false_accepts[k] == pytest.approx(np.mean(shuffled >= threshold))
        assert errors.false_rejects[k] == pytest.approx(np.mean(matched < threshold))
    assert (errors.false_accepts[0], errors.false_rejects[0]) == (1, 0)
    assert (errors.false_accepts[-1], errors.false_rejects[-1]) == (0, 1)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(matched, shuffled):
    apart = np.sign(matched[:, None] - shuffled[None, :])
    assert roc_area(matched, shuffled) == pytest.approx((apart.mean() + 1) / 2)


def test_balanced_is_between_what_can_be_told_apart():
    errors = curve(np.array([0.6, 0.7, 0.8]), np.array([0.1, 0.2, 0.3]))
    index = errors.balanced()
    assert errors.thresholds[index] == pytest.approx(0.45)
    assert errors.false_accepts[index] == errors.false_rejects[index] == 0


def test_balanced_is_in_the_middle_of_a_tie():
    errors = curve(np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0, 4.0]))
    total = errors.false_accepts + errors.false_rejects
    tied = errors.thresholds[np.isclose(total, 2 / 3)]
    assert tied.tolist() == [0.5, 2.5, 4.5]
    assert errors.thresholds[errors.balanced()] == 2.5


def test_accepting_a_share_at_most():
    errors = curve(np.array([0.35, 0.9]), np.arange(10) / 10)
    index = errors.accepting(0.25)
    assert errors.false_accepts[index] == pytest.approx(0.2)
    assert 0.7 < errors.thresholds[index] < 0.8
    assert errors.false_accepts[errors.accepting(0.0)] == 0


def test_no_threshold_lies_above_what_a_score_can_be():
    ones = np.array([1.0, 1.0])
    assert curve(ones, ones, most=1.0).thresholds.tolist() == [1.0]
    errors = curve(ones, np.array([0.0, 1.0]), most=1.0)
    assert errors.thresholds[errors.accepting(0.5)] == 0.5
    with pytest.raises(BuildError, match=r"threshold, 0.50000, 50.00% of shuffled .* most 10.00%"):
        errors.accepting(0.1)
