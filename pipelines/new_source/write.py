"""The files of a new source: a module, a test of it, a small data root, and a project file."""

import csv
import io
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw

from pipelines.datasets.catalog import CATALOG
from pipelines.recipes.recap import CONFIG as RECAPD
from schemas.errors import UsageError

Format = Literal["csv", "coco"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_EXAMPLE, _TITLE = "my_birds", "My Birds"  # what the examples are called
_SIZE = (96, 64)  # width, height of the drawn pictures; pixels
# The drawn objects by picture: label, colour and corners.
_DRAWN = {
    "owl.png": [("owl", "saddlebrown", (12, 8, 52, 44))],
    "pond.png": [("duck", "gold", (20, 30, 50, 54)), ("owl", "saddlebrown", (60, 6, 90, 40))],
}
_PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1.0"
dependencies = ["regionforge"]

# By this line, an installed source is known to all commands.
[project.entry-points."regionforge.sources"]
{name} = "{name}:SPEC"

[tool.setuptools]
py-modules = ["{name}"]
"""


def write_source(folder: Path, name: str, kind: Format) -> list[Path]:
    """Write the files of a new source, and return their paths.

    Args:
        folder: the folder in which one is made that is called like the source.
        name: the name of the source, which is also that of the module and of its config.
        kind: the format of the owner's files that the example reads.

    Raises:
        UsageError: the name cannot be used, or the folder of the source is there.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r}: expected a name of small letters, digits and underscores")
    if name in CATALOG or name == RECAPD:
        raise UsageError(f"{name!r}: a source has this name: choose another one")
    home = folder / name
    if home.exists():
        raise UsageError(f"{home} is there: choose another name or --output")
    content = dict(_texts(name, kind)) | _pictures(name)
    for path, written in content.items():
        target = home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(written)
    return [home / path for path in content]


def _texts(name: str, kind: Format) -> Iterator[tuple[str, bytes]]:
    examples = files("pipelines.new_source")
    for path, example in (
        (f"{name}.py", f"{kind}_example.py"),
        (f"test_{name}.py", "test_example.txt"),
    ):
        text = examples.joinpath(example).read_text(encoding="utf-8")
        title = name.replace("_", " ").title()
        yield path, text.replace(_EXAMPLE, name).replace(_TITLE, title).encode()
    yield "pyproject.toml", _PROJECT.format(name=name).encode()
    root = f"data_root/{name}"
    if kind == "csv":
        yield f"{root}/boxes.csv", _table().encode()
    else:
        yield f"{root}/annotations.json", json.dumps(_annotations(), indent=1).encode()


def _table() -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("image", "label", "x0", "y0", "x1", "y1"))
    for picture, objects in _DRAWN.items():
        rows.writerows((picture, label, *corners) for label, _, corners in objects)
    return text.getvalue()


def _annotations() -> dict[str, list[dict[str, object]]]:
    labels = sorted({label for objects in _DRAWN.values() for label, *_ in objects})
    annotations: list[dict[str, object]] = []
    for number, objects in enumerate(_DRAWN.values(), start=1):
        for label, _, (x0, y0, x1, y1) in objects:
            box = [x0, y0, x1 - x0, y1 - y0]
            annotations.append(
                {
                    "id": len(annotations) + 11,
                    "image_id": number,
                    "category_id": labels.index(label) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    width, height = _SIZE
    return {
        "images": [
            {"id": number, "file_name": name, "width": width, "height": height}
            for number, name in enumerate(_DRAWN, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 1)],
    }


def _pictures(name: str) -> dict[str, bytes]:
    pictures = {}
    for picture, objects in _DRAWN.items():
        image = Image.new("RGB", _SIZE, "lightblue")
        draw = ImageDraw.Draw(image)
        for _, colour, corners in objects:
            draw.ellipse(corners, fill=colour)
        content = io.BytesIO()
        image.save(content, "PNG")
        pictures[f"data_root/{name}/images/{picture}"] = content.getvalue()
    return pictures
