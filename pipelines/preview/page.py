"""The HTML page of some records, which needs no network and no other file."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator, Sequence

from pipelines.preview.assets import SCRIPT, STYLE
from pipelines.preview.facts import Facts
from pipelines.preview.figure import figure
from pipelines.preview.record import (
    Record,
    ShownRegion,
    answers,
    pieces,
    record_facts,
    shown_regions,
)
from pipelines.storage import files
from schemas.html import Html, element, joined
from schemas.sample import IMAGE_TOKEN, MULTI_TASK, region_token

_SCRIPT_HASH = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'"
)
_SWITCHES = ("boxes", "masks", "names")


def write_page(
    records: Sequence[Record],
    path: str | os.PathLike[str],
    title: str,
    facts: Facts,
    *,
    image_root: str | None = None,
) -> None:
    """Write the HTML page of some records.

    Args:
        records: the records, as `choose` returns them.
        path: the path of the page.
        title: the title of the page.
        facts: figures of the whole build, as `build_facts` returns them.
        image_root: the folder of pictures that records only refer to; None: the page shows paths.
    """
    page = render_page(records, title, facts, image_root)
    target = os.fspath(path)
    if files.is_local(target):
        target = os.path.abspath(target)
    files.write_whole(target, page.encode())


def render_page(
    records: Sequence[Record], title: str, facts: Facts, image_root: str | None = None
) -> str:
    """Return the page as text; equal arguments give the same text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    samples = [_sample(number, record, image_root) for number, record in enumerate(records, 1)]
    body = element(
        "body",
        _header(title, len(records), facts),
        element("main", *samples),
        element("script", Html(SCRIPT)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(title: str, count: int, facts: Facts) -> Html:
    sections = [_fact_section(name, values) for name, values in facts.items()]
    switches = [
        element("label", element("input", type="checkbox", id=name, checked=""), f" {name}")
        for name in _SWITCHES
    ]
    return element(
        "header",
        element("p", "RegionForge preview", class_="brand"),
        element("h1", title),
        element("div", *sections, class_="facts"),
        element(
            "div",
            element("span", f"Samples chosen by the hash of their ids: {count}", class_="count"),
            element("span", *switches, class_="switches"),
            class_="bar",
        ),
    )


def _fact_section(name: str, values: dict[str, str]) -> Html:
    return element("section", element("h2", name), _definitions(values))


def _definitions(values: dict[str, str]) -> Html:
    rows = [
        element("div", element("dt", label), element("dd", value))
        for label, value in values.items()
    ]
    return element("dl", *rows)


def _sample(number: int, record: Record, image_root: str | None) -> Html:
    regions = shown_regions(record)
    chips = [element("span", chip, class_="chip") for chip in (record["task"], record["licence"])]
    heading = element(
        "div",
        element("h2", element("span", str(number), class_="count"), f" {record['id']}"),
        element("p", *chips),
        class_="heading",
    )
    left = joined([figure(record, regions, image_root), _legend(regions)])
    return element(
        "article",
        heading,
        element(
            "div",
            element("div", left, class_="left") if left else "",
            element("div", *_turns(record, regions), *_answers(record), class_="chat"),
            class_="columns",
        ),
        element("details", element("summary", "all facts"), _definitions(record_facts(record))),
    )


def _legend(regions: list[ShownRegion]) -> Html:
    if not regions:
        return Html("")
    return element("ol", *map(_legend_row, regions), class_="legend")


def _legend_row(region: ShownRegion) -> Html:
    x0, y0, x1, y1 = region.box
    notes = [f"{x1 - x0:.0f} × {y1 - y0:.0f} at {x0:.0f}, {y0:.0f}"]
    notes += [f"mask {region.mask_share}"] if region.mask_share else []
    notes += [f"area {region.area}"] if region.area else []
    notes += [f"{name} {score}" for name, score in region.scores.items()]
    return element(
        "li",
        element("b", str(region.number), class_="number", style=f"--colour:{region.colour}"),
        element("span", region.name or "no category", class_="name"),
        element("span", " · ".join(notes), class_="notes"),
        *(
            element("span", text, class_="caption")
            for text in (region.attributes, region.caption, *map(": ".join, region.further))
            if text
        ),
        data_region=region.number,
    )


def _turns(record: Record, regions: list[ShownRegion]) -> list[Html]:
    tasks = iter(record["turn_tasks"] if record["task"] == MULTI_TASK else ())
    turns = []
    for message in record["messages"]:
        role = message["role"] if message["role"] in ("user", "assistant") else "system"
        task = next(tasks, "") if role == "assistant" else ""
        label = element("span", " · ".join(filter(None, [message["role"], task])), class_="role")
        words = [_piece(piece, regions) for piece in pieces(message["content"], len(regions))]
        turns.append(element("div", label, element("p", *words), class_=f"turn {role}"))
    return turns


def _answers(record: Record) -> Iterator[Html]:
    """Yield the answers of each entry of an evaluation, with the right answers marked."""
    for name, listed in answers(record):
        rows = [element("li", text, class_="right" if right else "wrong") for text, right in listed]
        yield element("p", f"scored: {name}", class_="role")
        yield element("ol", *rows, class_="answers")


def _piece(piece: str | int, regions: list[ShownRegion]) -> str:
    if piece == IMAGE_TOKEN:
        return element("mark", IMAGE_TOKEN, class_="image")
    if isinstance(piece, str):
        return piece
    region = regions[piece - 1]
    return element(
        "mark",
        region_token(piece),
        tabindex=0,
        title=region.name,
        data_region=piece,
        style=f"--colour:{region.colour}",
    )
