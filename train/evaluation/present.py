"""What an evaluation came to, as a report: beside published numbers, with cases and pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.counted import counted
from schemas.predictions import RUN, read_run
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.meteor import meteor_absence
from train.evaluation.plan import Plan
from train.evaluation.predict import Predicted
from train.evaluation.report import Line, Report, choose_cases, marks, published, write_report

_FIRST = 3  # questions without an answer
_SHOWN = ("form", "max_new_tokens", "batch", "dtype", "earlier_turns")  # settings in `run.json`


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an evaluation came to."""

    judged: Sequence[Line]
    predicted: Predicted | None = None  # None: there are judged files alone, as for the next
    answers: Sequence[Answer] = ()
    figures: Sequence[Figure] = ()


def present(plan: Plan, outcome: Outcome) -> Report:
    """Write the report of an outcome, and return it."""
    key = plan.benchmark.published
    ours = [Line(method="this run", figures=outcome.figures)] if outcome.figures else []
    report = Report(
        title=plan.config,
        facts=dict(_facts(plan, outcome)),
        ours=[*ours, *outcome.judged],
        published=published(key),
        notes=list(_notes(plan, outcome)),
    )
    if (selection := plan.selection) is None:
        write_report(plan.output, report)
    else:
        cases = choose_cases(outcome.answers, marks(key, outcome.answers), selection.question_of)
        write_report(plan.output, report, cases, selection.picture_of)
    return report


def _facts(plan: Plan, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield what was evaluated, and how."""
    if (selection := plan.selection) is not None:
        yield "build", f"{selection.build.folder} (manifest {selection.build.digest[:12]})"
        yield "splits", ", ".join(selection.splits)
        if modes := selection.modes():
            yield "mode", ", ".join(modes)
        if selection.limit is not None:
            yield "pictures", f"{selection.limit} by hash, seed {selection.seed}"
        yield "entries", f"{len(outcome.answers):,}"
    record = (plan.predictions or plan.output / RUN).with_name(RUN)
    if plan.predictions is not None:
        yield "predictions", str(plan.predictions)
    if selection is not None and record.is_file():
        run = read_run(record)
        yield "checkpoint", run.checkpoint
        yield "regions", run.regions
        yield from ((key, str(run.generation[key])) for key in _SHOWN if key in run.generation)


def _notes(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """Yield what one must know to read the figures."""
    predicted = outcome.predicted
    if predicted is not None and predicted.unanswered:
        questions = counted(len(predicted.unanswered), "question")
        yield f"{questions} without an answer, counted as wrong"
        for (record, turn), reason in list(predicted.unanswered.items())[:_FIRST]:
            yield f"{record} turn {turn}: {reason}"
    if predicted is not None and predicted.miscounted:
        yield (
            f"{counted(predicted.miscounted, 'answer')} about several regions with another number "
            "of parts, counted as wrong in all"
        )
    if plan.selection is not None and plan.selection.limit is not None:
        yield "a part of the questions: not to be compared with published numbers"
    if "CIDEr" in {figure.name for figure in outcome.figures} and plan.options.meteor is None:
        yield f"no METEOR: {meteor_absence()}"
    if plan.benchmark.judge is not None and not plan.judged:
        yield "answers in words are scored by a judge: `regionforge judge`, then --judged FILE"
