"""Guards: a loss that is no number, and a spike, stop a run with the step and its rows."""

import pytest

from train.guards import LossGuard, TrainingStopped
from train.loop import Done
from train.step import StepResult


def done(loss, norm=1.0, step=7, supervised=5):
    result = StepResult(
        loss=loss, gradient_norm=norm, supervised=supervised, tokens=9, rows=2, dropped_turns=0,
        rejected=0,
    )  # fmt: skip
    ids = tuple(f"coco/train/{number}/t/0" for number in range(10))
    return Done(step=step, epoch=0, rate=0.1, ids=ids, result=result, seconds=1.0, waited=0.0)


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_what_is_no_number_stops_with_the_rows(loss, norm):
    with pytest.raises(TrainingStopped, match=r"step 7: .*coco/train/0/t/0, .*, and 2 more"):
        LossGuard(5).check(done(loss, norm))


def test_a_step_without_answers_is_no_fault():
    LossGuard(5).check(done(float("nan"), supervised=0))


def test_a_spike_stops_where_the_usual_is_known():
    guard = LossGuard(5, [2.0] * 9)
    guard.check(done(50.0))  # of nine steps nothing is known
    guard = LossGuard(5, [2.0] * 10)
    guard.check(done(9.9))
    with pytest.raises(TrainingStopped, match=r"10\.100, above 5 times the usual 2\.000"):
        guard.check(done(10.1))


def test_small_losses_may_vary_and_the_guard_can_be_off():
    LossGuard(5, [0.01] * 50).check(done(4.9))
    LossGuard(0, [0.01] * 50).check(done(500.0))
