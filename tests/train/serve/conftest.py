"""Tiny models in folders, and pictures with boxes in COCO's format."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regionforge.__main__ import main
from tests.forked import Forked
from tests.lively import KINDS, write_both_lively_models
from tests.quick_gradio import import_gradio
from train.cli import run


@pytest.fixture(scope="session")
def tiny_models(made_once) -> dict[str, Path]:
    """The folders of both models, with random weights."""
    root = made_once("lively_models", write_both_lively_models)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """A folder of three pictures of 64 x 48 pixels, and boxes.json, seven regions of them."""
    folder: Path = tmp_path_factory.mktemp("photos")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(3)
    ]
    boxes = [[1, 2, 30, 20], [20, 10, 40, 30], [5, 5, 8, 40], [0, 0, 64, 48]]
    annotations = [
        {"id": 10 + number, "image_id": number % 3, "bbox": boxes[number % 4]}
        for number in range(7)
    ]
    annotations[2]["segmentation"] = [[5, 5, 30, 5, 30, 40]]
    content = {"images": images, "annotations": annotations}
    (folder / "boxes.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def page_address(tiny_models, tmp_path_factory) -> Iterator[str]:
    """The address of the page of the tiny RegionGPT, whose answers are of six tokens at most."""
    if find_spec("gradio") is None:
        pytest.skip("gradio (the extra demo) is not installed")
    words = ["chat", "--checkpoint", str(tiny_models["regiongpt"]), "--web", "--port", "0"]
    words += ["--device", "cpu", "--max-new-tokens", "6"]
    page = Forked(tmp_path_factory.mktemp("page") / "shown.txt", _serve_page, words)
    match = re.match(r"http://\S+", page.line())
    assert match, page.shown()
    yield match[0]
    page.signal(signal.SIGINT)
    page.ended()


def _serve_page(words: list[str]) -> None:
    import_gradio()
    main(words)


@pytest.fixture
def say(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; returns its exit status and what it printed."""

    def say_it(*words: object) -> tuple[int, str, str]:
        status = run([str(word) for word in words])
        return status, *capsys.readouterr()

    return say_it
