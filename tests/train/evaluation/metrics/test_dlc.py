"""DLC-Bench: the averages of six real runs from their points alone, the gate, and what is odd."""

import json
from statistics import fmean

import pytest

from schemas.errors import InputFileError
from schemas.judged import Kind, Outcome, Verdict
from train.evaluation.metrics.dlc import dlc

# Pos, Neg and Avg as published, rounded as published; the cached averages for those without.
PUBLISHED = {
    "dam_3b_v1__llama31_8b": (51.0, 83.0, 67.0),
    "dam_3b_joint_v1__llama31_8b": (56.8, 84.8, 70.8),
    "gar_1b__llama31_8b": (48.9, 87.0, 67.9),
    "gar_8b__llama31_8b": (50.2, 84.6, 67.4),
    "gar_1b__gpt4o_image": (65.8, 87.6, 76.7),
    "gar_8b__gpt4o_image": (68.0, 86.0, 77.0),
}
NOT_RECOGNISED = {"dam_3b_v1__llama31_8b": 8, "dam_3b_joint_v1__llama31_8b": 8}


def verdict(
    item: str,
    question: int,
    kind: Kind,
    points: float,
    outcome: Outcome = "read",
    words: int | None = None,
) -> Verdict:
    asked = outcome in ("read", "unparsed")
    return Verdict(
        item=item,
        question=question,
        kind=kind,
        outcome=outcome,
        reply="a reply" if asked else None,
        chosen=0 if outcome == "read" else None,
        points=points,
        words=words,
    )


def verdicts_of(points: dict) -> list[Verdict]:
    """The verdicts in a file of golden points, before the gate."""
    verdicts = []
    for item, record in points.items():
        values: list[tuple[Kind, float]] = [("recognition", float(record["recognised"]))]
        values += [("positive", each) for each in record["positive_raw"]]
        values += [("negative", each) for each in record["negative_raw"]]
        verdicts += [verdict(item, n, kind, each) for n, (kind, each) in enumerate(values)]
    return verdicts


def numbers(verdicts: list[Verdict]) -> dict[str, float]:
    return {figure.name: figure.value for figure in dlc(verdicts)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_real_runs_give_the_published_averages(samples, name):
    path = samples / "benchmarks" / "dlc_points" / f"{name}.json"
    points = json.loads(path.read_text(encoding="utf-8"))
    assert len(points) == 100
    scores = numbers(verdicts_of(points))
    # By the scores that the owner's script cached for each item.
    pos = 100 * fmean(record["score_pos"] for record in points.values())
    neg = 100 * fmean(record["score_neg"] for record in points.values())
    assert scores["Pos"] == pytest.approx(pos, abs=1e-9)
    assert scores["Neg"] == pytest.approx(neg, abs=1e-9)
    assert scores["Avg"] == pytest.approx((pos + neg) / 2, abs=1e-9)
    averages = (scores["Pos"], scores["Neg"], scores["Avg"])
    assert averages == pytest.approx(PUBLISHED[name], abs=0.0501)
    assert scores["not recognised"] == NOT_RECOGNISED.get(name, scores["not recognised"])


def test_the_gate_takes_every_point_of_an_item_that_is_not_recognised():
    verdicts = [
        verdict("a", 0, "recognition", 0.0),
        verdict("a", 1, "positive", 1.0),
        verdict("a", 2, "positive", -1.0),
        verdict("a", 3, "negative", 1.0),
        verdict("a", 4, "negative", -1.0),
    ]
    gated = numbers(verdicts)
    assert (gated["Pos"], gated["Neg"], gated["Avg"]) == (-50.0, -50.0, -50.0)
    recognised = numbers([verdict("a", 0, "recognition", 1.0), *verdicts[1:]])
    assert (recognised["Pos"], recognised["Neg"], recognised["not recognised"]) == (0.0, 0.0, 0.0)


def test_it_is_a_mean_over_items_of_means_over_questions():
    verdicts = [
        verdict("a", 0, "recognition", 1.0),
        verdict("a", 1, "positive", 1.0),
        verdict("a", 2, "negative", 1.0),
        verdict("b", 0, "recognition", 1.0),
        *[verdict("b", n, "positive", 0.0) for n in range(1, 4)],
    ]
    scores = {figure.name: figure for figure in dlc(verdicts)}
    assert (scores["Pos"].value, scores["Pos"].count) == (50.0, 2)  # pooled: 25
    assert (scores["Neg"].value, scores["Neg"].count) == (100.0, 1)  # b has none
    assert scores["Avg"].value == 75.0


def test_what_was_not_read_is_counted_and_wins_nothing():
    verdicts = [
        verdict("a", 0, "recognition", 0.0, "unparsed", 10),
        verdict("a", 1, "positive", 1.0, words=10),
        verdict("a", 2, "negative", 0.0, "refused", 10),
        verdict("b", 0, "recognition", 0.0, "missing"),
        verdict("b", 1, "positive", 0.0, "missing"),
        verdict("b", 2, "negative", 0.0, "missing"),
        verdict("c", 0, "recognition", 1.0, words=20),
        verdict("c", 1, "positive", 1.0, words=20),
        verdict("c", 2, "negative", 1.0, words=20),
    ]
    scores = {figure.name: (figure.value, figure.count) for figure in dlc(verdicts)}
    assert scores == {
        "Pos": (pytest.approx(100 / 3), 3),
        "Neg": (pytest.approx(100 / 3), 3),
        "Avg": (pytest.approx(100 / 3), 3),
        "not recognised": (2, 3),
        "words per caption": (15, 2),
        "missing": (3, 9),
        "refused": (1, 9),
        "unparsed": (1, 9),
    }


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        ([], "no verdicts to score"),
        ([verdict("a", 0, "positive", 1.0)], "1 of 1 items have no recognition question.*'a'"),
        ([verdict("a", 0, "recognition", 1.0)], "no item has a positive question"),
        ([verdict("a", n, "recognition", 1.0) for n in (0, 1)], "'a' has two recognition"),
        ([verdict("a", 0, "simple", 1.0)], "are these verdicts of DLC-Bench"),
    ],
)
def test_what_cannot_be_scored(verdicts, message):
    with pytest.raises(InputFileError, match=message):
        dlc(verdicts)
