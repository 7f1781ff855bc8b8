"""The colours of pages: they stand in one place, and no style sheet uses one that is not there."""

import re

import pytest

from pipelines.preview.assets import STYLE as PREVIEW
from pipelines.report.render import render
from schemas.colours import PALETTE
from tests.conftest import CHECKOUT

_OF_ELEMENTS = {"colour", "width", "height", "left", "top", "digits"}  # set where they are used


def _report() -> str:
    page = {"title": "", "samples": [], "before": "", "after": "", "first": 0, "total": 0}
    return render("records", index="", **page).decode()


def _evaluation() -> str:
    pytest.importorskip("torch", reason="needs the extra train")
    from train.evaluation.report.style import STYLE

    return STYLE


@pytest.mark.parametrize("style_of", [lambda: PREVIEW, _report, _evaluation])
def test_style_sheets_use_the_shared_colours_alone(style_of):
    style = style_of()
    assert style.count(PALETTE) == 1
    light, dark = (set(re.findall(r"--([a-z]+):", part)) for part in PALETTE.split("@media"))
    assert light == dark
    assert set(re.findall(r"var\(--([a-z]+)\)", style)) <= light | _OF_ELEMENTS


def test_no_other_file_states_them():
    stating = [
        str(path.relative_to(CHECKOUT))
        for tower in ("schemas", "pipelines", "model", "train")
        for path in (CHECKOUT / tower).rglob("*")
        if path.suffix in (".py", ".css", ".html") and "--ground:" in path.read_text("utf-8")
    ]
    assert stating == ["schemas/colours.py"]
