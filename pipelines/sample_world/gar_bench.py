"""The sample world in GAR-Bench's layout: questions about regions of pictures of COCO's val2017.

    gar_bench/GAR-Bench-{VQA,Caption-Simple,Caption-Detailed}.json
    gar_bench/images/vqa_0.png             JPEG bytes, as the owner's

Four pictures make a question about a colour, one about which of several regions has a shape, one
about a relation, and a pair of regions to describe.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from pipelines.sample_world import coco
from pipelines.sample_world.album import picture_bytes
from pipelines.sample_world.coco import Picture
from pipelines.sample_world.instances import Record
from pipelines.sample_world.scene import Progress, Scene, World
from schemas.ids import rank

MOST_PICTURES = 100
_LETTERS = "ABCD"
_VQA, _SIMPLE, _DETAILED = "VQA", "Caption-Simple", "Caption-Detailed"
_STEMS = {_VQA: "vqa", _SIMPLE: "caption_simple", _DETAILED: "caption_detailed"}


def write_gar_bench(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write three files and a picture for each of their records below `root/gar_bench`."""
    folder, total = root / "gar_bench", min(world.pictures // 4, MOST_PICTURES)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records: dict[str, list[Record]] = {name: [] for name in _STEMS}
    for number, picture in enumerate(islice(_held_out(world), total)):
        name, make = _KINDS[number % len(_KINDS)]
        record = make(world, picture, _whole(picture.scene))
        record["image"] = f"images/{_STEMS[name]}_{len(records[name])}.png"
        path = folder / str(record["image"])
        path.write_bytes(picture_bytes(picture.scene, picture.oddity))
        if name != _DETAILED:
            record["image_path"] = f"/pictures/val2017/{picture.file_name(2017)}"
        records[name].append(record)
        if on_progress:
            on_progress(number + 1, total)
    for name, of_file in records.items():
        (folder / f"GAR-Bench-{name}.json").write_bytes(msgspec.json.encode(of_file))


def _held_out(world: World) -> Iterator[Picture]:
    return (picture for picture in coco.pictures(world) if picture.splits[2017] == "val")


def _whole(scene: Scene) -> list[int]:
    """Return the things that are no crowds, by their positions."""
    return [index for index, thing in enumerate(scene.things) if not thing.crowd]


def _colour(world: World, picture: Picture, things: Sequence[int]) -> Record:
    mine = picture.scene.things[things[0]].colour
    others = sorted(set(world.look.colours) - {mine}, key=lambda name: _order(picture, name))
    options = [f"{colour.capitalize()}." for colour in (mine, *others[:3])]
    question = "What is the color of <Prompt0>?"
    return _asked(picture, things[:1], question, "color", options)


def _kind(world: World, picture: Picture, things: Sequence[int]) -> Record:
    """Return a question about the only one of three things with its shape."""
    shapes = {index: picture.scene.things[index].shape for index in things}
    several = list({shape: index for index, shape in shapes.items()}.values())[:3]
    marks = [f"<Prompt{number}>" for number in range(len(several))]
    asked = min(range(len(several)), key=lambda number: _order(picture, number))
    question = f"Which of {', '.join(marks)} shows a figure of the kind {shapes[several[asked]]}?"
    options = [marks[asked], *marks[:asked], *marks[asked + 1 :], "None of them."]
    return _asked(picture, several, question, "shape", options)


def _simple(world: World, picture: Picture, things: Sequence[int]) -> Record:
    relation = picture.scene.relation(things[0], things[1])
    return {
        "mask_rles": _masks(picture.scene, things[:2]),
        "question": "How does <Prompt0> lie to <Prompt1>?",
        "answer": f"<Prompt0> is {relation} <Prompt1>.",
    }


def _detailed(world: World, picture: Picture, things: Sequence[int]) -> Record:
    first, second = things[:2]
    return {
        "subject_name": picture.scene.things[first].shape,
        "object_name": picture.scene.things[second].shape,
        "predicate_name": picture.scene.relation(first, second),
        "mask_rles": _masks(picture.scene, (first, second)),
    }


def _asked(
    picture: Picture, things: Sequence[int], question: str, kind: str, options: Sequence[str]
) -> Record:
    """Return a question with lettered options, the first of which is right, in another order."""
    ordered = sorted(options, key=lambda option: _order(picture, "option", option))
    lettered = zip(_LETTERS, ordered, strict=False)
    return {
        "mask_rles": _masks(picture.scene, things),
        "question": question,
        "choices": [f"{letter}. {option}" for letter, option in lettered],
        "answer": _LETTERS[ordered.index(options[0])],
        "type": kind,
    }


def _masks(scene: Scene, things: Sequence[int]) -> list[Record]:
    masks = [scene.mask(index) for index in things]
    return [{"size": mask["size"], "counts": mask["counts"].decode()} for mask in masks]


def _order(picture: Picture, *key: str | int) -> int:
    return rank("gar_bench", picture.number, *key)


_KINDS: Sequence[tuple[str, Callable[[World, Picture, Sequence[int]], Record]]] = (
    (_VQA, _colour),
    (_VQA, _kind),
    (_SIMPLE, _simple),
    (_DETAILED, _detailed),
)
