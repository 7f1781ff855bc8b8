"""An evaluation from its plan to its report.

build -> questions -> the model's replies -> predictions -> answers -> figures -> report
                        or anyone's predictions -^      judged files -^
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from schemas.predictions import PREDICTIONS, Prediction, match_predictions, read_predictions
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.judged import check_judged, judged_lines
from train.evaluation.plan import Plan
from train.evaluation.predict import Predicted, name_crops, predict
from train.evaluation.present import Outcome, present
from train.evaluation.questions import Question
from train.evaluation.report import Report


def evaluate(plan: Plan) -> Report:
    """Carry out a plan, and return the report, which is also written.

    Raises:
        RegionForgeError: a file is damaged, or the predictions do not fit the build.
    """
    judge = plan.benchmark.judge
    outcome = Outcome(judged=judged_lines(judge, plan.judged) if judge else ())
    if plan.selection is not None:
        questions = plan.selection.questions()
        predicted = _predicted(plan, questions)
        answers = join(questions, predicted.predictions)
        figures = score(plan, answers)
        outcome = replace(outcome, predicted=predicted, answers=answers, figures=figures)
    return present(plan, outcome)


def _predicted(plan: Plan, questions: list[Question]) -> Predicted:
    """Return the predictions: those of a file, a baseline's, or the model's."""
    if plan.predictions is not None:
        return Predicted(predictions=read_predictions(plan.predictions))
    assert plan.selection is not None
    if plan.baseline is not None:
        return name_crops(plan.config, plan.baseline, plan.selection, questions, plan.output)
    assert plan.asking is not None
    predicted = predict(plan.config, plan.asking, plan.selection, questions, plan.output)
    check_judged(plan.judged, plan.output / PREDICTIONS)
    return predicted


def join(questions: Iterable[Question], predictions: Iterable[Prediction]) -> list[Answer]:
    """Return every entry with its prediction, in the order of the build.

    Raises:
        InputFileError: a prediction answers no entry of the build.
    """
    entries = list(chain.from_iterable(question.entries for question in questions))
    matched = match_predictions(((entry.record, entry) for entry in entries), predictions)
    return [
        entry
        if prediction is None
        else replace(
            entry,
            text=prediction.answer,
            score=prediction.score,
            choice_loglik=prediction.choice_loglik,
        )
        for entry, prediction in zip(entries, matched.predictions, strict=True)
    ]


def score(plan: Plan, answers: list[Answer]) -> list[Figure]:
    """Return the figures of all metrics of the plan's benchmark."""
    return [figure for metric in plan.benchmark.metrics for figure in metric(answers, plan.options)]
