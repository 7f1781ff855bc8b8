"""The bars of all tasks: what a report must say to pass them."""

import pytest

from train.learns.all_tasks import BARS, CONFIGS, faults

FIGURES = {  # on the bars, and below those that are missed so far
    "eval_v3det": {"accuracy": 95.0},
    "eval_pope": {"accuracy": 74.0},
    "eval_vcr": {"Q->A": 40.0, "QA->R": 40.0, "Q->AR": 21.25},
    "eval_rec": {"accuracy": 59.0, "chance": 20.0},
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
        for config, figures in FIGURES.items()
    }


def test_figures_on_the_bars_pass():
    assert faults(reports()) == []
    assert set(CONFIGS) == FIGURES.keys()


@pytest.mark.parametrize(
    "bar", [bar for bar in BARS if not bar.missed], ids=lambda bar: f"{bar.config}-{bar.figure}"
)
def test_a_figure_below_its_bar_is_named(bar):
    value = FIGURES[bar.config][bar.figure]
    (fault,) = faults(reports({(bar.config, bar.figure): value - 0.01}))
    assert fault == f"{bar.config}: {bar.figure} {value - 0.01:.2f}, expected {value:.2f} at least"


def test_a_bar_that_was_missed_is_a_fault_once_it_holds():
    (fault,) = faults(reports({("eval_pope", "accuracy"): 75.0}))
    assert fault.startswith("eval_pope: accuracy 75.00, expected 75.00 at least: it holds now")


def test_a_higher_chance_lifts_the_bar():
    held = {("eval_rec", "accuracy"): 60.0}
    assert len(faults(reports(held))) == 1
    assert faults(reports({**held, ("eval_rec", "chance"): 30.0})) == []
