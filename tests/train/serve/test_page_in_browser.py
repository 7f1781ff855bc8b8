"""`regionforge chat --web` in a browser: a visitor opens a picture, draws on it, and asks."""

import re

import pytest
from PIL import Image

from bench.chromium import chromium, find_chromium
from bench.serving_page import (
    ask,
    brush_mask,
    click_box,
    open_picture,
    region_lines,
    shown_colour,
)
from schemas.visible import visible
from train.serve.opening import open_model

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs chromium")


def words_of(answer: str) -> str:
    """An answer as a browser shows it: blanks at its ends have no width."""
    return visible(answer).strip()


GREY = (90, 90, 90)
COARSE = 0.25  # the editor draws without a pause, and without a graphics card


def test_a_round_trip(tiny_models, page_address, tmp_path):
    picture = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), GREY).save(picture)
    with chromium(tmp_path / "profile") as page:
        open_picture(page, page_address, picture, scale=COARSE)
        click_box(page, (0.1, 0.1, 0.5, 0.6))
        first = ask(page, "What is region1?")
        brush_mask(page, [(0.5, 0.5), (0.52, 0.5), (0.55, 0.5)])
        second = ask(page, "And region2?")
        lines = region_lines(page)
        colours = page.run(
            "[...document.querySelectorAll('#regions mark, #talk .user mark')]"
            ".map(each => each.style.background)"
        )
        beside, brushed = (shown_colour(page, *point) for point in ((0.9, 0.9), (0.51, 0.5)))
        foreign = [each for each in page.problems(page_address) if each.startswith("http")]
    assert lines[1] == "region2 mask"
    assert foreign == []
    assert colours[:2] == colours[2:]
    assert len(set(colours)) == 2
    match = re.fullmatch(r"region1 box ([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+)", lines[0])
    assert match
    box = tuple(map(float, match.groups()))
    assert box == pytest.approx((6.4, 4.8, 32, 28.8), abs=0.3)
    talk = open_model(tiny_models["regiongpt"], device="cpu").talk(picture, [box], max_new_tokens=6)
    assert first == words_of(talk.ask("What is region1?"))
    assert second
    assert (beside, brushed == GREY) == (GREY, False)
