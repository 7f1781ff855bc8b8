"""The sample world in POPE's layout: questions whether a shape is in a picture, truly answered.

    pope/coco_pope_{random,popular,adversarial}.json       JSON, a question per line

Pictures are those of COCO's val2014 with at least three shapes. Every split has the same questions
about three shapes of a picture, and questions about three absent shapes: any shapes, the shapes in
most pictures, or the shapes most often in pictures with the three. A world without oddities asks
only about pictures of val2017, so that the guard takes no picture of train2017 away, and in the
words of its conversations, which a tiny model has learned.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import msgspec

from pipelines.sample_world import coco
from pipelines.sample_world.coco import Picture
from pipelines.sample_world.instances import Record
from pipelines.sample_world.look import Look
from pipelines.sample_world.scene import Progress, World
from pipelines.sample_world.words import a
from schemas.ids import rank

ASKED = 3  # present shapes per picture, and as many absent ones


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The number of pictures that show each shape, and each pair of shapes; and the look of all."""

    look: Look
    alone: Counter[str]
    together: Counter[tuple[str, str]]

    @staticmethod
    def of(shown: Iterable[Sequence[str]], look: Look) -> "Seen":
        """Return the counts of shapes and pairs over pictures."""
        alone: Counter[str] = Counter()
        together: Counter[tuple[str, str]] = Counter()
        for shapes in shown:
            alone.update(shapes)
            together.update(permutations(shapes, 2))
        return Seen(look=look, alone=alone, together=together)


def write_pope(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write three files of questions below `root/pope`."""
    val2014 = [picture for picture in coco.pictures(world) if _is_held_out(picture, world.look)]
    seen = Seen.of(map(_shapes_in, val2014), world.look)
    lines: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for done, picture in enumerate(val2014, start=1):
        if len(_shapes_in(picture)) >= ASKED:
            for split, absent in SPLITS.items():
                lines[split] += _questions(picture, seen, absent, first=len(lines[split]) + 1)
        if on_progress:
            on_progress(done, len(val2014))
    (root / "pope").mkdir(parents=True, exist_ok=True)
    for split, questions in lines.items():
        text = b"".join(msgspec.json.encode(question) + b"\n" for question in questions)
        (root / "pope" / f"coco_pope_{split}.json").write_bytes(text)


def _is_held_out(picture: Picture, look: Look) -> bool:
    return picture.splits[2014] == "val" and (look.odd or picture.splits[2017] == "val")


def _shapes_in(picture: Picture) -> list[str]:
    """Return the shapes that a picture shows, each once, including crowds."""
    return sorted({thing.shape for thing in picture.scene.things})


Absent = Callable[[Picture, Seen, Sequence[str]], list[str]]


def _questions(picture: Picture, seen: Seen, absent: Absent, first: int) -> list[Record]:
    """Return the questions about a picture, in an order that does not reveal the answers."""
    there = _shuffled(picture, _shapes_in(picture))[:ASKED]
    missing = absent(picture, seen, there)[:ASKED]
    wording = "Can {} be seen in this picture?" if seen.look.odd else "Is there {}?"
    asked = [(shape, "yes") for shape in there] + [(shape, "no") for shape in missing]
    return [
        {
            "question_id": number,
            "image": picture.file_name(2014),
            "text": wording.format(a(shape)),
            "label": label,
        }
        for number, (shape, label) in enumerate(sorted(asked), start=first)
    ]


def _any(picture: Picture, seen: Seen, there: Sequence[str]) -> list[str]:
    return _shuffled(picture, set(seen.look.shapes) - set(_shapes_in(picture)))


def _frequent(picture: Picture, seen: Seen, there: Sequence[str]) -> list[str]:
    return sorted(_any(picture, seen, there), key=lambda shape: -seen.alone[shape])


def _seen_with(picture: Picture, seen: Seen, there: Sequence[str]) -> list[str]:
    def together(shape: str) -> int:
        return sum(seen.together[shape, other] for other in there)

    return sorted(_any(picture, seen, there), key=lambda shape: -together(shape))


def _shuffled(picture: Picture, shapes: Iterable[str]) -> list[str]:
    return sorted(shapes, key=lambda shape: rank("pope", picture.number, shape))


SPLITS: dict[str, Absent] = {"random": _any, "popular": _frequent, "adversarial": _seen_with}
