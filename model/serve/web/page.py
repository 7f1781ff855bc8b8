"""The page: a picture to draw regions on, and a talk about them; see `sketch` for what it does."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.serve.opened import OpenedModel
from model.serve.web import wording
from model.serve.web.drawing import draw
from model.serve.web.sketch import Sketch
from model.serve.web.stream import growing
from schemas.errors import RegionForgeError

TITLE = "RegionForge: a talk about regions"
STYLE = """
.turn { margin: .4em 0; padding: .5em .8em; border-radius: .6em; white-space: pre-wrap;
  overflow-wrap: anywhere; width: fit-content; max-width: 90%; }
.user { margin-left: auto; background: var(--color-accent-soft); }
.assistant { background: var(--background-fill-secondary); }
mark { color: black; padding: 0 .3em; border-radius: .3em; }
.error { color: var(--error-text-color, #b91c1c); font-weight: 600; }
#talk { max-height: 28em; overflow-y: auto; }
"""
_BOX, _MASK = "a box: click two corners", "a mask: brush it"
_BEGIN = "Open a picture, then draw regions on it."
_ANSWERING = "The model answers."
_NEXT = "Draw regions, and ask about region1, region2, ... or about the whole picture."
_TOUCHED = 128  # the least opacity of a brushed pixel
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def make_page(model: OpenedModel, max_new_tokens: int) -> gr.Blocks:
    """Return the page.

    Args:
        model: what is asked; by one visitor at a time, the others wait.
        max_new_tokens: of an answer, at most.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{TITLE}</h1>{wording.about(model)}")
        sketch = gr.State(Sketch())
        with gr.Row():
            with gr.Column(scale=3):
                open_button = gr.UploadButton("Open a picture", elem_id="open")
                form = gr.Radio([_BOX, _MASK], value=_BOX, label="A region is", elem_id="form")
                view = gr.Image(
                    label="Picture",
                    elem_id="view",
                    interactive=False,
                    format="png",
                    buttons=[],
                )
                editor = _editor()
                add = gr.Button("Add the mask", elem_id="add", visible=False)
                undo = gr.Button("Undo the last region", elem_id="undo")
            with gr.Column(scale=2):
                note = gr.HTML(wording.note(_BEGIN), elem_id="note")
                regions = gr.HTML(wording.region_list([]), elem_id="regions")
                talk = gr.HTML(elem_id="talk", autoscroll=True)
                question = gr.Textbox(
                    label="Question", placeholder="What is region1?", elem_id="question"
                )
                ask = gr.Button("Ask", variant="primary", elem_id="ask")
                new = gr.Button("New talk", elem_id="new")
        shown = [sketch, view, editor, note, regions, talk]
        open_button.upload(_open, [sketch, open_button], shown, **_QUIET)
        view.select(_click, [sketch], shown, trigger_mode="multiple", **_QUIET)  # none is lost
        form.change(_choose, [sketch, form], [view, editor, add], **_QUIET)
        add.click(_brush, [sketch, editor], shown, **_QUIET)
        undo.click(_undo, [sketch], shown, **_QUIET)
        new.click(_new, [sketch], shown, **_QUIET)

        def answer(sketch: Sketch, question: str) -> Iterator[Any]:
            yield from _ask(sketch, question, model, max_new_tokens)

        gr.on(
            [ask.click, question.submit],
            answer,
            [sketch, question],
            [*shown, question],
            concurrency_limit=1,
            **_QUIET,
        )
    return page


def _editor() -> gr.ImageEditor:
    return gr.ImageEditor(
        label="Brush over the region",
        elem_id="editor",
        visible=False,
        sources=(),
        transforms=(),
        layers=False,
        buttons=[],
        brush=gr.Brush(default_size=24, colors=["#ff2d9b"], color_mode="fixed"),
    )


def _open(sketch: Sketch, path: str) -> tuple[Any, ...]:
    try:
        sketch.open(path)
    except InputError as error:
        return _shown(sketch, str(error), is_error=True)
    assert sketch.picture is not None
    return _shown(sketch, f"{sketch.picture.width} x {sketch.picture.height} pixels. {_NEXT}")


def _click(sketch: Sketch, event: gr.SelectData) -> tuple[Any, ...]:
    x, y = event.index
    try:
        is_whole = sketch.click(int(x), int(y))
    except InputError as error:
        return _shown(sketch, str(error), is_error=True)
    return _shown(sketch, _NEXT if is_whole else "Now click the opposite corner.")


def _choose(sketch: Sketch, form: str) -> tuple[Any, ...]:
    """Show what draws the chosen form of region."""
    by_brush = form == _MASK
    return (
        gr.update(visible=not by_brush),
        gr.update(visible=by_brush, value=_canvas(sketch)),
        gr.update(visible=by_brush),
    )


def _brush(sketch: Sketch, drawing: dict[str, Any] | None) -> tuple[Any, ...]:
    layers: list[NDArray[np.uint8]] = (drawing or {}).get("layers") or []
    try:
        if sketch.shown is None or not layers:
            raise InputError("no mask: open a picture, and brush over a part of it")
        sketch.brush(np.any([layer[:, :, 3] >= _TOUCHED for layer in layers], axis=0))
    except InputError as error:
        return _shown(sketch, str(error), is_error=True)
    return _shown(sketch, _NEXT)


def _undo(sketch: Sketch) -> tuple[Any, ...]:
    had = bool(sketch.messages)
    sketch.undo()
    return _shown(sketch, "A new talk: the last one knew that region." if had else _NEXT)


def _new(sketch: Sketch) -> tuple[Any, ...]:
    sketch.messages = []
    return _shown(sketch, "A new talk about the same picture.")


def _ask(
    sketch: Sketch, question: str, model: OpenedModel, max_new_tokens: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the page after each part of an answer; the question comes back if it cannot be put."""
    asked = {"role": "user", "content": question.strip()}
    taken = [gr.skip(), gr.skip(), gr.skip(), wording.note(_ANSWERING), gr.skip(), gr.skip()]
    yield (*taken, "")  # now, not at the end, when the next one is being typed
    try:
        for text in growing(lambda take: sketch.ask(model, question, max_new_tokens, take)):
            messages = [*sketch.messages, asked, {"role": "assistant", "content": text}]
            talk = wording.transcript(messages, len(sketch.regions))
            yield (*[gr.skip()] * 5, talk, gr.skip())
    except RegionForgeError as error:
        yield (*_shown(sketch, str(error), is_error=True), question)
    else:
        yield (*_shown(sketch, _NEXT), gr.skip())


def _shown(sketch: Sketch, text: str, *, is_error: bool = False) -> tuple[Any, ...]:
    """Return the outputs of an event: all that shows a sketch, with a note."""
    regions = [each.region for each in sketch.regions]
    return (
        sketch,
        draw(sketch),
        _canvas(sketch),
        wording.note(text, is_error=is_error),
        wording.region_list(regions),
        wording.transcript(sketch.messages, len(regions)),
    )


def _canvas(sketch: Sketch) -> dict[str, Any] | None:
    """Return the picture to brush on, with nothing brushed yet."""
    image = draw(sketch)
    return None if image is None else {"background": image, "layers": [], "composite": None}
