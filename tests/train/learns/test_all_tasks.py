"""The bars of all tasks: what a report must say to pass them."""

import pytest

from train.learns.all_tasks import BARS, CONFIGS, faults

PASSING = {
    "eval_v3det": {"accuracy": 95.0},
    "eval_pope": {"accuracy": 75.0},
    "eval_vcr": {"Q->A": 40.0, "QA->R": 40.0, "Q->AR": 21.25},
    "eval_rec": {"accuracy": 60.0, "chance": 20.0},
}


def reports(changes=()):
    """Reports whose figures just pass, but for some; parts of the questions have other figures."""
    changed = dict(changes)
    return {
        config: [
            {"name": name, "value": changed.get((config, name), value), "group": ""}
            for name, value in figures.items()
        ]
        + [{"name": "accuracy", "value": 0.0, "group": "adversarial"}]
        for config, figures in PASSING.items()
    }


def test_figures_on_the_bars_pass():
    assert faults(reports()) == []
    assert set(CONFIGS) == PASSING.keys()


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar.config}-{bar.figure}")
def test_a_figure_below_its_bar_is_named(bar):
    value = PASSING[bar.config][bar.figure]
    (fault,) = faults(reports({(bar.config, bar.figure): value - 0.01}))
    assert fault == f"{bar.config}: {bar.figure} {value - 0.01:.2f}, expected {value:.2f} at least"


def test_a_higher_chance_lifts_the_bar():
    (fault,) = faults(reports({("eval_rec", "chance"): 30.0}))
    assert fault == "eval_rec: accuracy 60.00, expected 65.00 at least"
