"""An evaluation from its plan to its report.

build -> questions -> replies -> predictions.jsonl, run.json -> answers -> figures -> report
                        or anyone's predictions ->
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from schemas.predictions import (
    PREDICTIONS,
    RUN,
    Prediction,
    Run,
    match_predictions,
    read_predictions,
    write_predictions,
    write_run,
)
from train.evaluation.answers import Answer
from train.evaluation.batches import Reader
from train.evaluation.figure import Figure
from train.evaluation.journal import Journal
from train.evaluation.plan import Plan
from train.evaluation.questions import Question, read_questions, some_pictures
from train.evaluation.reply import predictions_of
from train.evaluation.respond import respond


def evaluate(plan: Plan) -> list[Figure]:
    """Carry out a plan, and return the figures of its report.

    Raises:
        RegionForgeError: a file is damaged, or the predictions do not fit the build.
    """
    pictures = plan.limit and some_pictures(plan.rows.ids(), plan.limit, plan.seed)
    questions = read_questions(plan.rows, pictures or None)
    if plan.predictions is not None:
        predictions = read_predictions(plan.predictions)
    else:
        predictions = make_predictions(plan, questions)
    answers = join(questions, predictions)
    return [figure for metric in plan.benchmark.metrics for figure in metric(answers, plan.options)]


def make_predictions(plan: Plan, questions: Sequence[Question]) -> list[Prediction]:
    """Have the model reply, and write `predictions.jsonl` and `run.json`."""
    assert plan.asking is not None
    reader = Reader(
        rows=plan.rows,
        processor=plan.asking.processor(),
        region_as=plan.asking.region_as,
        image_root=plan.asking.image_root,
    )
    run = settings_of(plan)
    with Journal(plan.output, run) as journal:
        replies = respond(plan.asking, reader, questions, journal)
    predictions = [
        prediction
        for question in questions
        for prediction in predictions_of(question.entries, replies[question.key])
    ]
    write_predictions(plan.output / PREDICTIONS, predictions)
    write_run(plan.output / RUN, run_of(plan, run))
    return predictions


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


def settings_of(plan: Plan) -> dict[str, Any]:
    """Return all that decides the replies, as the journal holds it."""
    assert plan.asking is not None
    questions = {"splits": list(plan.splits), "limit": plan.limit, "seed": plan.seed}
    return {
        "config": plan.config,
        "manifest": plan.build.digest,
        **questions,
        **plan.asking.as_json(),
    }


def run_of(plan: Plan, settings: Mapping[str, Any]) -> Run:
    """Return the run as `run.json` holds it."""
    assert plan.asking is not None
    apart = ("config", "manifest", "checkpoint", "regions")
    return Run(
        config=plan.config,
        manifest=plan.build.digest,
        checkpoint=str(plan.asking.start.checkpoint),
        generation={key: value for key, value in settings.items() if key not in apart},
        regions=plan.asking.region_as,
    )
