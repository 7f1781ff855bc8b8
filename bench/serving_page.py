"""The page of `regionforge chat --web` in a browser, used as a visitor uses it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.chromium import Page

CHECKOUT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1400, 1150  # of the window: all that is drawn on lies in it
_NOTE = "document.querySelector('#note').innerText"
_REGIONS = "document.querySelectorAll('#regions li').length"
# What has been loaded, where it is, and the zoom of the editor, which glides for a while.
_LOADED = (
    "JSON.stringify([performance.getEntriesByType('resource').length,"
    " document.querySelector('#editor .zoom-number')?.innerText,"
    " ...[...document.querySelectorAll('#view img, #editor canvas')]"
    ".map(each => each.getBoundingClientRect())])"
)
_SETTLED, _GLIDED = 0.5, 1.5  # seconds
_ENOUGH = 60.0  # seconds for the process to end


@contextmanager
def served_page(checkpoint: Path, *flags: str) -> Iterator[str]:
    """Serve the page of a model, and yield its address; the process ends with the block."""
    command = [sys.executable, "-m", "regionforge", "chat", "--checkpoint", str(checkpoint)]
    command += ["--web", "--port", "0", "--device", "cpu", *flags]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as server:
        assert server.stdout
        try:
            match = re.match(r"http://\S+", server.stdout.readline())
            assert match, "the page says where it is"
            yield match[0]
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(_ENOUGH)


def open_picture(page: Page, address: str, picture: Path, *, scale: float = 1) -> None:
    """Open the page, and a picture on it, with some pixels of the screen for a unit of length."""
    page.size(WIDTH, HEIGHT, scale=scale)
    page.visit(address)
    page.until("!!document.querySelector('input[type=file]')")
    page.upload("input[type=file]", picture)
    page.until(f"document.querySelector('#view img')?.naturalWidth && {_NOTE}.includes('pixels')")


def click_box(page: Page, box: Sequence[float]) -> None:
    """Draw a box by two clicks; its corners are shares of the picture's width and height."""
    regions = page.run(_REGIONS)
    after = (f"{_NOTE}.includes('opposite corner')", f"{_REGIONS} > {regions}")
    for corner, drawn in zip((box[:2], box[2:]), after, strict=True):
        page.settle(_LOADED, _SETTLED)
        left, top, width, height = _frame(page, "#view img")
        page.click(left + corner[0] * width, top + corner[1] * height)
        page.until(drawn)


def brush_mask(page: Page, points: Sequence[tuple[float, float]]) -> None:
    """Brush a mask along points, as shares of the editor's width and height, and add it."""
    _choose(page, "mask")
    page.until("document.querySelector('#editor canvas')?.getBoundingClientRect().width > 0")
    page.settle(_LOADED, _GLIDED)  # before, strokes go astray
    left, top, width, height = _frame(page, "#editor canvas")
    page.drag(*((left + x * width, top + y * height) for x, y in points))
    page.settle(_LOADED, _SETTLED)
    regions = page.run(_REGIONS)
    page.run("document.querySelector('#add').click()")
    page.until(f"{_REGIONS} > {regions}")


def shown_colour(page: Page, x: float, y: float) -> tuple[int, ...]:
    """Return the red, green and blue of what is shown at a share of the width and height."""
    _choose(page, "box")
    page.until("document.querySelector('#view img')?.naturalWidth > 0")
    page.settle(_LOADED, _SETTLED)
    return tuple(
        page.run(
            "(image => { const canvas = document.createElement('canvas');"
            "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
            "const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);"
            f"const at = [{x} * canvas.width, {y} * canvas.height].map(Math.floor);"
            "return [...pen.getImageData(...at, 1, 1).data.slice(0, 3)]; })"
            "(document.querySelector('#view img'))"
        )
    )


def ask(page: Page, question: str) -> str:
    """Put a question, and return the answer when it is whole."""
    turns = page.run("document.querySelectorAll('#talk .turn').length")
    page.run("document.querySelector('#question textarea, #question input').focus()")
    page.type(question)
    page.run("document.querySelector('#ask').click()")
    page.until(
        f"document.querySelectorAll('#talk .turn').length === {turns + 2} && "
        f"!{_NOTE}.includes('answers')"
    )
    answer: str = page.run("[...document.querySelectorAll('#talk .assistant')].at(-1).innerText")
    return answer


def region_lines(page: Page) -> list[str]:
    """Return what the page says of each region."""
    lines: list[str] = page.run(
        "[...document.querySelectorAll('#regions li')].map(each => each.innerText)"
    )
    return lines


def _choose(page: Page, form: str) -> None:
    """Choose whether a region is a box or a mask."""
    page.until(
        "[...document.querySelectorAll('#form label')].some(each => "
        f"each.innerText.includes('a {form}:') && (each.click(), true))"
    )


def _frame(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Return where an element is in the window: left, top, width, height."""
    left, top, width, height = page.run(
        f"(box => [box.x, box.y, box.width, box.height])"
        f"(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    return left, top, width, height
