"""The sample world in DLC-Bench's layout: regions to describe, and a judge's questions about them.

    dlc_bench/annotations.json     COCO's layout, with compressed run lengths
    dlc_bench/class_names.json     {"100": "star"}
    dlc_bench/qa.json              {"100": [{"question": ..., "choices": [[text, points], ...]}]}
    dlc_bench/images/objects365_v2_00000001.jpg

A region's questions: whether its colour is right, and whether something absent is mentioned.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.instances import LICENSES, Record
from pipelines.sample_world.scene import Progress, World
from pipelines.sample_world.shapes import SHAPES
from pipelines.sample_world.words import a
from schemas.ids import rank

MOST_PICTURES = 100
_REGIONS = 2  # of a picture, at most
_QUESTION = "Which of these fits the description?"
_CATEGORIES = {name: number for number, name in enumerate(SHAPES, start=1)}

Choices = list[tuple[str, float]]  # texts, each with its points


def write_dlc_bench(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write three files and the pictures below `root/dlc_bench`."""
    folder, total = root / "dlc_bench", min(world.album_size, MOST_PICTURES)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[Record] = []
    regions: list[Record] = []
    names: dict[str, str] = {}
    questions: dict[str, list[Record]] = {}
    for shot in islice(album("dlc_bench", world), total):
        images.append(_image(shot))
        (folder / "images" / images[-1]["file_name"]).write_bytes(shot.jpeg())
        for index in range(min(_REGIONS, len(shot.scene.things))):
            regions.append(_annotation(shot, index))
            key = str(regions[-1]["id"])
            names[key] = shot.scene.things[index].shape
            questions[key] = _questions(shot, index)
        if on_progress:
            on_progress(shot.position + 1, total)
    categories = [{"id": number, "name": name.title()} for name, number in _CATEGORIES.items()]
    file = {"images": images, "annotations": regions, "categories": categories}
    for name, content in (
        ("annotations", file | {"licenses": LICENSES}),
        ("class_names", names),
        ("qa", questions),
    ):
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(content))


def _image(shot: Shot) -> Record:
    number = shot.position + 1
    return {
        "id": number,
        "file_name": f"objects365_v2_{number:08d}.jpg",
        "height": shot.scene.height,
        "width": shot.scene.width,
        "license": 1,
        "url": "",
    }


def _annotation(shot: Shot, index: int) -> Record:
    """Return a thing's annotation; its area is its box's, as in the owner's file."""
    thing, mask = shot.scene.things[index], shot.scene.mask(index)
    x0, y0, x1, y1 = thing.box
    box = [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]
    return {
        "id": 100 * (shot.position + 1) + index,
        "image_id": shot.position + 1,
        "category_id": _CATEGORIES[thing.shape],
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()},
    }


def _questions(shot: Shot, index: int) -> list[Record]:
    """Return the questions about the description of a thing: of its colour, and of absent ones."""
    thing = shot.scene.things[index]
    there = {other.shape for other in shot.scene.things}
    absent = sorted(set(SHAPES) - there, key=lambda name: rank("absent", shot.scene.key, name))
    shape = thing.shape
    colour: Choices = [
        (f"{a(shape).capitalize()} is not mentioned.", 0),
        (f"{a(shape).capitalize()} is mentioned, without its color.", 0.5),
        (f"The {shape} has another color than {thing.colour}.", -1),
        (f"The {shape} is {thing.colour}.", 1),
    ]
    questions = [_question(colour, (shot.position, index), type="positive")]
    for number, name in enumerate(absent[:2]):
        other: Choices = [(f"{a(name).capitalize()} is mentioned.", -1)]
        other.append((f"No {name} is mentioned.", 1))
        seed = (shot.position, index, number)
        questions.append(_question(other, seed, type="negative", subtype="salient negative"))
    return questions


def _question(choices: Choices, seed: Sequence[int], **kind: str) -> Record:
    """Return a question with its choices in an order that does not reveal the best one."""
    ordered = sorted(choices, key=lambda choice: rank("dlc_bench", *seed, choice[0]))
    record: dict[str, Any] = {"question": _QUESTION, "choices": ordered}
    return record | kind
