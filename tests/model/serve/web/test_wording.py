"""The page's words: regions in their colours, and nothing foreign that a browser obeys."""

from types import SimpleNamespace
from typing import Any

import pytest

from model.serve.web.wording import about, note, region_list, transcript
from schemas.colours import colour_of


def test_regions_are_named_in_their_colours():
    html = transcript([{"role": "assistant", "content": "Region [2], not region3."}], 2)
    mark = f'<mark style="background: {colour_of(2)}">Region [2]</mark>'
    assert html == f'<div class="turn assistant">{mark}, not region3.</div>'


def test_foreign_text_is_shown_not_obeyed():
    words = "<script>alert(1)</script> region1<img src=x>\u202e & \x1b"
    html = transcript([{"role": "user", "content": words}], 1)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "\\u202e &amp; \\x1b" in html
    assert "<b>" not in note("<b>\u202e")
    assert 'class="error"' in note("x", is_error=True)
    assert "<mark" in transcript([{"role": "user", "content": "<region1>"}], 1)


def test_regions_in_a_list():
    assert "whole picture" in region_list([])
    html = region_list([(1, 2, 3, 4), {"size": [2, 2], "counts": "x"}])
    assert html.count("<li>") == 2
    assert "box 1, 2, 3, 4" in html
    assert f"{colour_of(2)}" in html


@pytest.mark.parametrize(("size", "is_tiny"), [(1_040_000, True), (7_000_000_000, False)])
def test_a_tiny_model_is_called_so_with_what_it_cannot_do(size, is_tiny):
    model = SimpleNamespace(num_parameters=lambda: size)
    opened: Any = SimpleNamespace(model=model, region_as="box")
    html = about(opened)
    assert f"{size / 1e6:,.1f} million" in html
    assert ("cannot describe photographs" in html) is is_tiny
    assert "of a mask, the box around it" in html
