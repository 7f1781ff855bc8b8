"""A report as one HTML page with cases, which needs no network and no other file.

Everything that is shown may come from strangers: text is escaped, characters that are not seen are
made visible, and a browser is forbidden to fetch or run anything but the page's own script.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from schemas.html import Html, element, joined
from train.evaluation.report.cases import Case
from train.evaluation.report.lines import Report
from train.evaluation.report.picture import PictureOf, colour, figure
from train.evaluation.report.style import SCRIPT, STYLE
from train.evaluation.report.table import Row, Table, tables

_SCRIPT_HASH = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'"
)
_REGION = re.compile(r"<region([1-9][0-9]{0,3})>")
_VERDICTS = {True: "right", False: "wrong", None: ""}
_SHOWN_CHARACTERS = 2_000  # of an answer
_MOST_CHOICES = 10  # choices shown; of more, only the right ones


def to_page(report: Report, cases: Sequence[Case], picture_of: PictureOf) -> str:
    """Return the page as text; equal arguments give the same text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", report.title),
        element("style", Html(STYLE)),
    )
    body = element(
        "body",
        element("p", "RegionForge evaluation", class_="brand"),
        element("h1", report.title),
        element("dl", *_definitions(report.facts), class_="facts"),
        *(element("div", _table(table), class_="scroll") for table in tables(report)),
        *(element("p", note, class_="soft") for note in report.notes),
        element("h2", f"Cases, chosen by the hash of their ids: {len(cases)}"),
        element("div", *_filters(cases), class_="filters"),
        element("main", *(_case(case, picture_of) for case in cases)),
        element("script", Html(SCRIPT)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _definitions(facts: Mapping[str, str]) -> Iterable[Html]:
    for label, value in facts.items():
        yield element("dt", label)
        yield element("dd", value)


def _table(table: Table) -> Html:
    header = [element("th", name) for name in ("method", *table.columns)]
    words = [element("th", name, class_="words") for name in ("source", "what differs")]
    return element(
        "table",
        element("caption", table.title),
        element("thead", element("tr", *header, *words)),
        element("tbody", *map(_row, table.rows)),
    )


def _row(row: Row) -> Html:
    cells = [element("td", text) for text in (row.line.method, *row.cells())]
    words = [element("td", text, class_="words") for text in (row.line.source, row.line.note)]
    return element("tr", *cells, *words, class_="ours" if row.ours else "")


def _filters(cases: Sequence[Case]) -> Iterable[Html]:
    """Yield a menu for each thing in which cases differ."""
    values = {
        "part": sorted({case.part for case in cases}),
        "verdict": sorted({_VERDICTS[case.mark.right] for case in cases}, reverse=True),
    }
    for name, options in values.items():
        if len(options) > 1:
            rows = [element("option", "all", value="")]
            rows += [element("option", option, value=option) for option in options if option]
            yield element("label", f"{name} ", element("select", *rows, name=name))


def _case(case: Case, picture_of: PictureOf) -> Html:
    answer, verdict = case.answer, _VERDICTS[case.mark.right]
    heading = [element("b", verdict)] if verdict else []
    heading += [element("span", text) for text in (case.part, answer.record) if text]
    facts: dict[str, Html | str] = {
        "question": joined(_question(case.question)),
        "expected": _expected(case),
        "answer": "no answer" if answer.text is None else _abridged(answer.text),
    }
    if case.mark.score is not None:
        facts["score"] = f"{case.mark.score:.2f} of 10"
    if answer.score is not None:
        facts["probability"] = f"{answer.score:.3f}"
    return element(
        "article",
        element("h3", *heading),
        figure(answer, picture_of),
        element("dl", *_definitions(facts)),
        class_=verdict,
        data_part=case.part,
        data_verdict=verdict,
    )


def _question(text: str) -> Iterable[str]:
    """Yield the pieces of a question, with its regions in their colours."""
    for place, piece in enumerate(_REGION.split(text)):
        if place % 2:
            style = f"background:{colour(int(piece))}"
            yield element("mark", f"<region{piece}>", style=style)
        else:
            yield piece


def _abridged(text: str) -> str:
    """Return a text, or its beginning and its length: an answer may never have come to an end."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]} ... ({len(text):,} characters)"


def _expected(case: Case) -> Html:
    """Return the choices with the right one marked, or else the references."""
    answer = case.answer
    if answer.label is None or not 0 < len(answer.choices) <= _MOST_CHOICES:
        return joined("\n".join(answer.references))
    rows = []
    for number, choice in enumerate(answer.choices):
        likelihood = f" ({answer.choice_loglik[number]:.2f})" if answer.choice_loglik else ""
        truth = "truth" if number == answer.label else ""
        rows.append(element("li", choice + likelihood, class_=truth))
    return element("ol", *rows)
