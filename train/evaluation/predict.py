"""Predictions of a model, or of a baseline, written with how they came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UsageError
from schemas.predictions import (
    PREDICTIONS,
    RUN,
    Prediction,
    Run,
    read_run,
    write_predictions,
    write_run,
)
from train.evaluation.asking import Asking
from train.evaluation.baseline.classify import classify
from train.evaluation.batches import Reader
from train.evaluation.journal import JOURNAL, Journal
from train.evaluation.progress import Progress
from train.evaluation.questions import Question, Turn
from train.evaluation.reply import parts_of, predictions_of
from train.evaluation.respond import respond
from train.evaluation.selection import Selection
from train.run import versions

if TYPE_CHECKING:  # it needs the extra `clip`
    from train.evaluation.baseline.clip import ClipClassifier


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Predictions, and what is wrong with the replies that they come from."""

    predictions: list[Prediction]
    unanswered: Mapping[Turn, str] = field(default_factory=dict)  # why, by question
    miscounted: int = 0  # replies of another number of parts than there are regions


def predict(
    config: str,
    asking: Asking,
    selection: Selection,
    questions: Sequence[Question],
    output: Path,
) -> Predicted:
    """Have a model reply, and write `predictions.jsonl` and `run.json`.

    Args:
        config: the benchmark's name.
        asking: the model.
        selection: of what build the questions are.
        questions: all of them.
        output: the folder; a journal of the same run in it is gone on with.

    Raises:
        RegionForgeError: the folder holds another run, or a record is damaged.
    """
    reader = Reader(
        rows=selection.rows,
        processor=asking.processor(),
        region_as=asking.region_as,
        image_root=selection.image_root,
    )
    run = {"config": config, **selection.as_json(), **asking.as_json()}
    if not (output / JOURNAL).is_file():
        check_free(output)
    with Journal(output, run) as journal:
        replies = respond(asking, reader, questions, journal)
    made = [(question, replies[question.key]) for question in questions]
    predictions = [
        prediction
        for question, reply in made
        for prediction in predictions_of(question.entries, reply)
    ]
    write_predictions(output / PREDICTIONS, predictions)
    write_run(output / RUN, _run_of(run, str(asking.start.checkpoint), asking))
    return Predicted(
        predictions=predictions,
        unanswered={question.key: reply.reason for question, reply in made if reply.text is None},
        miscounted=sum(
            reply.text is not None and parts_of(question.entries, reply.text) is None
            for question, reply in made
        ),
    )


def name_crops(
    config: str,
    classifier: "ClipClassifier",
    selection: Selection,
    questions: Sequence[Question],
    output: Path,
) -> Predicted:
    """Have a classifier name the crops of regions, and write the same files.

    Raises:
        RegionForgeError: the folder holds another run, a record is damaged, or a question is about
            no region.
    """
    run = Run(
        config=config,
        manifest=selection.build.digest,
        checkpoint=classifier.identity,
        generation={**selection.as_json(), "form": "likeliest name of a crop"},
        regions="box",
    )
    check_free(output, run)
    unanswered: dict[Turn, str] = {}
    progress = Progress(sum(len(question.entries) for question in questions))
    predictions = []
    for prediction in classify(
        questions,
        selection.rows,
        classifier,
        selection.image_root,
        lambda question, reason: unanswered.update({question.key: reason}),
    ):
        predictions.append(prediction)
        progress.add(1)
    progress.end()
    write_predictions(output / PREDICTIONS, predictions)
    write_run(output / RUN, run)
    return Predicted(predictions=predictions, unanswered=unanswered)


def check_free(output: Path, run: Run | None = None) -> None:
    """Raise UsageError where a folder has the predictions of another run than this one."""
    if (output / PREDICTIONS).is_file():
        record = output / RUN
        if run is None or not record.is_file() or read_run(record) != run:
            raise UsageError(f"{output} holds other predictions: name another --output")


def _run_of(run: Mapping[str, Any], checkpoint: str, asking: Asking) -> Run:
    """Return what `run.json` holds."""
    apart = ("config", "manifest", "regions")
    return Run(
        config=run["config"],
        manifest=run["manifest"],
        checkpoint=checkpoint,
        generation={
            **{key: value for key, value in run.items() if key not in apart},
            "versions": versions(),
        },
        regions=asking.region_as,
    )
