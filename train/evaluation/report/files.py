"""The files of a report: `report.json`, `report.md` and `report.html`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from schemas.json_lines import write_file
from schemas.text import storable
from train.evaluation.report.cases import Case
from train.evaluation.report.lines import Line, Report
from train.evaluation.report.markdown import to_markdown
from train.evaluation.report.page import to_page
from train.evaluation.report.picture import PictureOf

JSON, MARKDOWN, PAGE = "report.json", "report.md", "report.html"


def write_report(
    folder: Path, report: Report, cases: Sequence[Case] = (), picture_of: PictureOf = lambda _: None
) -> None:
    """Write a report's files; each appears under its name only when it is complete.

    >>> line = Line(method="this run", figures=figures)  # doctest: +SKIP
    >>> report = Report(title="eval_pope", facts={"checkpoint": "runs/a"}, ours=[line],
    ...                 published=published("pope"))  # doctest: +SKIP
    >>> cases = choose_cases(answers, marks("pope", answers), question_of)  # doctest: +SKIP
    >>> write_report(Path("runs/a/eval"), report, cases, picture_of)  # doctest: +SKIP

    Args:
        folder: where the files go.
        report: the run's facts and scores, and published ones.
        cases: answers to show on the page, see `choose_cases`.
        picture_of: returns the picture of an answer in any form that `model.picture` reads, or None
            where its record has none; an error that it raises is shown in the picture's place.

    Raises:
        ValueError: a figure is not finite.
    """
    texts = {
        JSON: json.dumps(_content(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        MARKDOWN: to_markdown(report),
        PAGE: to_page(report, cases, picture_of),
    }
    for name, text in texts.items():
        write_file(folder / name, [storable(text).encode()])


def _content(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "figures": list(_figures(report.ours)),
        "published": list(_figures(report.published)),
        "notes": list(report.notes),
    }


def _figures(lines: Iterable[Line]) -> Iterator[dict[str, Any]]:
    for line in lines:
        origin = {"method": line.method, "judge": line.judge}
        if line.source:
            origin |= {"source": line.source, "what differs": line.note}
        for figure in line.figures:
            yield origin | asdict(figure)
