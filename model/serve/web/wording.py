"""The words of the page, as HTML in which all foreign text is escaped."""

import re
from collections.abc import Sequence
from html import escape

from model.regions import Region
from model.serve.chat import description
from model.serve.composition import Message, mentioned
from model.serve.opened import OpenedModel
from schemas.colours import colour_of
from schemas.visible import visible

_TINY = 100_000_000  # parameters of a model that is trained on drawn shapes, at most
_LETTERS = re.compile(r"[^a-z]")


def transcript(messages: Sequence[Message], regions: int) -> str:
    """Return a talk, in which regions are named in their colours.

    Args:
        messages: as the visitor and the model wrote them.
        regions: the number of regions.
    """
    return "".join(
        f'<div class="turn {_LETTERS.sub("", message["role"])}">'
        f"{_marked(message['content'], regions)}</div>"
        for message in messages
    )


def region_list(regions: Sequence[Region]) -> str:
    """Return a line about each region, its name in its colour."""
    lines = [
        f"<li>{_mark(number, f'region{number}')} {escape(description(region))}</li>"
        for number, region in enumerate(regions, start=1)
    ]
    if lines:
        return f"<ul>{''.join(lines)}</ul>"
    return "<p>No regions yet: questions are about the whole picture.</p>"


def about(model: OpenedModel) -> str:
    """Return what a visitor needs to know of a model, above all what it cannot do."""
    size = model.model.num_parameters()
    words = [
        f"The model has {size / 1e6:,.1f} million parameters, and takes regions as "
        + ("masks." if model.region_as == "mask" else "boxes: of a mask, the box around it."),
    ]
    if size < _TINY:
        words.append(
            "That is tiny. It knows the pictures and wordings that it was trained on, e.g. drawn "
            "shapes, and nothing else: it cannot describe photographs, answer other questions than "
            "those of its training, reason, or say that it does not know. What it answers then is "
            "noise in good grammar."
        )
    else:
        words.append(
            "It answers best in the wordings of its training, and may be wrong: nothing here "
            "checks its answers."
        )
    return f"<p>{' '.join(map(escape, words))}</p>"


def note(text: str, *, is_error: bool = False) -> str:
    """Return a line on what has happened, or what to do next."""
    kind = "error" if is_error else "note"
    return f'<p class="{kind}" role="status">{escape(visible(text))}</p>'


def _marked(text: str, regions: int) -> str:
    """Return a text as HTML, with the names of regions marked."""
    parts, end = list[str](), 0
    for start, stop, number in mentioned(text, regions):
        parts += [escape(visible(text[end:start])), _mark(number, text[start:stop])]
        end = stop
    return "".join([*parts, escape(visible(text[end:]))])


def _mark(number: int, name: str) -> str:
    return f'<mark style="background: {colour_of(number)}">{escape(name)}</mark>'
