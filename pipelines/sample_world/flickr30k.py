"""The sample world in Flickr30k Entities' own layout.

    flickr30k_entities/Annotations/1001.xml    Sentences/1001.txt    {train,val,test}.txt
    flickr30k_entities/UNRELATED_CAPTIONS      flickr30k-images/1001.jpg

Boxes are whole pixels, counted from 1, both ends inside. A picture has one chain per thing, one
for all things together (a box of each, so those objects have two names), one for the ground
(a scene, no box) and one for the colours (no box). Five captions, all true of the picture.

Planted, by position in the album (`ODDITIES`): a picture without a box, a grayscale one, one whose
last caption belongs to another picture and has no phrase, one with a box that is there twice, one
with a chain that no caption mentions, and one that has the first picture's chain ids. Captions
hold letters outside ASCII, and some phrases are of two types.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.scene import Progress, World
from pipelines.sample_world.words import Words, a, counted
from schemas.geometry import Box

ODDITIES = {
    2: "empty", 4: "grey", 5: "unrelated", 8: "twice", 9: "unsaid", 11: "shared"
}  # fmt: skip
SPLITS = ("train", "train", "train", "val", "train", "train", "train", "test")  # used in turn
_UNRELATED = "I am very hungry , let me eat soup ."
_CHAINS_PER_PICTURE = 20
_ALL, _GROUND, _COLOURS, _UNSAID = 11, 12, 13, 14  # follows the numbers of the things


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """An `object` of the XML file: its chains, and a box, or the mark of a scene."""

    chains: list[int]
    box: tuple[int, int, int, int] | None = None
    scene: bool = False


def write_flickr30k(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write annotations, captions, lists and pictures below `root/flickr30k_entities`."""
    folder = root / "flickr30k_entities"
    for name in ("Annotations", "Sentences", "flickr30k-images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[str]] = {split: [] for split in SPLITS}
    unrelated = ["# format: <imageID> <sentence number>"]
    for shot in album("flickr30k", world, ODDITIES):
        stem = str(number(shot))
        lists[SPLITS[shot.position % len(SPLITS)]].append(stem)
        if shot.oddity == "unrelated":
            unrelated.append(f"{stem} 5")
        (folder / "Annotations" / f"{stem}.xml").write_bytes(_xml(shot).encode())
        (folder / "Sentences" / f"{stem}.txt").write_bytes(_lines(captions(shot)))
        (folder / "flickr30k-images" / f"{stem}.jpg").write_bytes(shot.jpeg())
        if on_progress:
            on_progress(shot.position + 1, world.album_size)
    for split, stems in lists.items():
        (folder / f"{split}.txt").write_bytes(_lines(stems[::-1]))
    (folder / "UNRELATED_CAPTIONS").write_bytes(_lines(unrelated))


def number(shot: Shot) -> int:
    """Return the id of a picture by its position."""
    return 1001 + 7 * shot.position


def captions(shot: Shot) -> list[str]:
    """Return the five captions of a picture, with chains in brackets."""
    words = Words(scene=shot.scene)
    count = len(shot.scene.things)
    ground = f"[/EN#{_chain(shot, _GROUND)}/scene {a(shot.scene.ground)} background]"
    colours = f"[/EN#{_chain(shot, _COLOURS)}/other plain colors]"
    if not count:
        return [f"{ground} ."] * 4 + ["[/EN#0/notvisual Nothing] is here ."]
    things = [f"[/EN#{_chain(shot, k)}/{_type(k)} {a(words.noun(k))}]" for k in range(count)]
    together = f"[/EN#{_chain(shot, _ALL)}/other {counted(count, 'shape')}]"
    captions = [
        f"{_first_upper(together)} on {ground} .",
        f"{_first_upper(' , '.join(things))} on {ground} .",
        f"{_first_upper(things[0])} in {colours} ; [/EN#0/notvisual it] is on {ground} .",
        *(
            f"{_first_upper(things[first])} {lies} {things[second]} ."
            for (first, second), lies in sorted(words.relations.items())[:1]
        ),
        f"Voilà {things[-1]} !",
        f"There is {things[-1]} on {ground} .",
    ][:5]
    return [*captions[:4], _UNRELATED] if shot.oddity == "unrelated" else captions


def _chain(shot: Shot, index: int) -> int:
    """Return the id of a chain; the "shared" picture has the chain ids of the first picture."""
    position = 0 if shot.oddity == "shared" else shot.position
    return 1 + position * _CHAINS_PER_PICTURE + index


def _type(index: int) -> str:
    return "other/scene" if index == 5 else "other"


def _first_upper(caption: str) -> str:
    """Return a caption whose first phrase begins with a capital."""
    head, _, tail = caption.partition(" ")
    return f"{head} {tail[0].upper()}{tail[1:]}"


def _objects(shot: Shot) -> list[Boxes]:
    together = _chain(shot, _ALL)
    boxes = [
        Boxes(chains=[_chain(shot, k), together], box=_one_based(thing.box))
        for k, thing in enumerate(shot.scene.things)
    ]
    if shot.oddity == "twice":
        boxes.append(boxes[0])
    if shot.oddity == "unsaid":
        boxes.append(replace(boxes[0], chains=[_chain(shot, _UNSAID)]))
    boxes.append(Boxes(chains=[_chain(shot, _GROUND)], scene=True))
    return [*boxes, Boxes(chains=[_chain(shot, _COLOURS)])] if shot.scene.things else boxes


def _one_based(box: Box) -> tuple[int, int, int, int]:
    """Return the first and last whole pixels that a box touches, counted from 1."""
    return int(box[0]) + 1, int(box[1]) + 1, -int(-box[2] // 1), -int(-box[3] // 1)


def _xml(shot: Shot) -> str:
    depth = 1 if shot.oddity == "grey" else 3
    sides = {"width": shot.scene.width, "height": shot.scene.height, "depth": depth}
    lines = ["<annotation>", f"\t<filename>{number(shot)}.jpg</filename>", "\t<size>"]
    lines += [f"\t\t<{name}>{value}</{name}>" for name, value in sides.items()]
    lines.append("\t</size>")
    for entry in _objects(shot):
        lines.append("\t<object>")
        lines += [f"\t\t<name>{chain}</name>" for chain in entry.chains]
        if entry.box:
            corners = zip(("xmin", "ymin", "xmax", "ymax"), entry.box, strict=True)
            lines.append("\t\t<bndbox>")
            lines += [f"\t\t\t<{name}>{value}</{name}>" for name, value in corners]
            lines.append("\t\t</bndbox>")
        else:
            lines.append(f"\t\t<scene>{int(entry.scene)}</scene>")
            lines.append(f"\t\t<nobndbox>{int(not entry.scene)}</nobndbox>")
        lines.append("\t</object>")
    return "\n".join([*lines, "</annotation>"]) + "\n"


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
