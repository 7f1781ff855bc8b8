"""An evaluation from its plan to its figures.

build -> questions -> replies -> predictions -> answers -> figures
                      or anyone's predictions -^
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from train.evaluation.questions import Question, Turn, read_questions, some_pictures
from train.evaluation.reply import predictions_of
from train.evaluation.respond import respond


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an evaluation came to."""

    answers: list[Answer]
    figures: list[Figure]
    unanswered: Mapping[Turn, str] = field(default_factory=dict)  # the reason why, by question


def evaluate(plan: Plan) -> Outcome:
    """Carry out a plan.

    Raises:
        RegionForgeError: a file is damaged, or the predictions do not fit the build.
    """
    pictures = some_pictures(plan.rows.ids(), plan.limit, plan.seed) if plan.limit else None
    questions = read_questions(plan.rows, pictures)
    unanswered: Mapping[Turn, str] = {}
    if plan.predictions is not None:
        predictions = read_predictions(plan.predictions)
    else:
        predictions, unanswered = predict(plan, questions)
    answers = join(questions, predictions)
    figures = [
        figure for metric in plan.benchmark.metrics for figure in metric(answers, plan.options)
    ]
    return Outcome(answers=answers, figures=figures, unanswered=unanswered)


def predict(
    plan: Plan, questions: Sequence[Question]
) -> tuple[list[Prediction], Mapping[Turn, str]]:
    """Return the model's predictions, and why there are none to some questions.

    They are written to `predictions.jsonl`, with `run.json` beside it.
    """
    assert plan.asking is not None
    reader = Reader(
        rows=plan.rows,
        processor=plan.asking.processor(),
        region_as=plan.asking.region_as,
        image_root=plan.asking.image_root,
    )
    settings = settings_of(plan)
    with Journal(plan.output, settings) as journal:
        replies = respond(plan.asking, reader, questions, journal)
    predictions = [
        prediction
        for question in questions
        for prediction in predictions_of(question.entries, replies[question.key])
    ]
    write_predictions(plan.output / PREDICTIONS, predictions)
    write_run(plan.output / RUN, run_of(plan, settings))
    asked = (question.key for question in questions)
    return predictions, {key: replies[key].reason for key in asked if replies[key].text is None}


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
    return {
        "config": plan.config,
        "manifest": plan.build.digest,
        "splits": list(plan.splits),
        "limit": plan.limit,
        "seed": plan.seed,
        **plan.asking.as_json(),
    }


def run_of(plan: Plan, settings: Mapping[str, Any]) -> Run:
    """Return the run as `run.json` holds it."""
    assert plan.asking is not None
    apart = ("config", "manifest", "regions")
    return Run(
        config=plan.config,
        manifest=plan.build.digest,
        checkpoint=str(plan.asking.start.checkpoint),
        generation={key: value for key, value in settings.items() if key not in apart},
        regions=plan.asking.region_as,
    )
