"""Captions of things in the sample world, true ones and ones with a known mistake.

A caption has up to four sentences; which of them are true follows from the scene alone. A caption
with a mistake is of one of `KINDS`, chosen by hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.recap.captioning.captioner import AnnotatedRegion, CaptionTarget
from pipelines.recap.captioning.positions import position_in
from pipelines.sample_world.scene import Scene, Thing
from pipelines.sample_world.shapes import COLOURS
from pipelines.sample_world.words import a
from schemas.ids import rank
from transforms.caption_colours import ALIKE

RIGHT = "right"
# By the kind of mistake, its share of all captions in percent; the rest is right.
KINDS: Mapping[str, int] = {
    "wrong color": 8,
    "like color": 8,
    "wrong place": 8,
    "neighbour described": 8,
    "object denied": 8,
}
_OPPOSITE = {"left": "right", "right": "left", "upper": "lower", "lower": "upper"}
_OPPOSITE |= {"top": "bottom", "bottom": "top", "above": "below", "below": "above"}
_EMPTY = "All around the spot that was asked about there is nothing but an empty and even ground."
_PLAIN = "Its surface is plain and even, without any pattern or letters on it."


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption of a thing, and its sentences with whether they are true."""

    kind: str  # one of `KINDS`, or `RIGHT`
    sentences: Mapping[str, bool]

    @property
    def text(self) -> str:
        """The whole caption."""
        return " ".join(self.sentences)

    def that_are(self, *, is_true: bool) -> set[str]:
        """Return the sentences that are true, or those that are false."""
        return {sentence for sentence, so in self.sentences.items() if so == is_true}


def caption_of(scene: Scene, index: int, seed: int, sample: int = 0) -> Caption:
    """Return the caption of a thing, with a mistake or without, by hash.

    A kind of mistake that the scene has no room for gives a right caption. Each sample makes its
    mistakes by itself; but for the first one, samples lack a sentence that is not their first.
    """
    caption = _drawn(
        scene, index, rank("mistake", seed, scene.key, index, *[sample] * bool(sample))
    )
    first, *rest = caption.sentences.items()
    if sample and len(rest) > 1:
        del rest[rank("left out", seed, scene.key, index, sample) % len(rest)]
    return Caption(caption.kind, dict([first, *rest]))


def _drawn(scene: Scene, index: int, draw: int) -> Caption:
    """Return the caption of a thing that a hash decides."""
    least = 0
    for kind, share in KINDS.items():
        least += share
        if draw % 100 < least:
            return _wrong(scene, index, kind) or _right(scene, index)
    return _right(scene, index)


def _right(scene: Scene, index: int) -> Caption:
    return Caption(RIGHT, dict.fromkeys(_sentences(scene, index), True))


def _wrong(scene: Scene, index: int, kind: str) -> Caption | None:
    """Return a caption with a kind of mistake, or None where the scene has no room for it."""
    thing, true = scene.things[index], _sentences(scene, index)
    if kind == "object denied":
        denied = f"There is no {thing.shape} visible here."
        return Caption(kind, dict.fromkeys((denied, _EMPTY), False))
    if kind == "neighbour described":
        for other, neighbour in enumerate(scene.things):
            if neighbour.shape != thing.shape and neighbour.colour != thing.colour:
                sentences = _sentences(scene, other)
                return Caption(kind, {each: each in true for each in sentences})
        return None
    if kind == "wrong place":
        place = _place(scene, thing)
        if not (words := _mirrored(place)):
            return None
        return Caption(kind, _changed(true, place, words))
    like = kind == "like color"
    others = (
        [
            name
            for name in COLOURS
            if name in ALIKE
            and name != thing.colour
            and (name in ALIKE[thing.colour]) == like
            and (thing.colour in ALIKE[name]) == like
        ]
        if thing.colour in ALIKE
        else []
    )
    if not others:
        return None
    colour = others[rank("colour", scene.key, index) % len(others)]
    return Caption(kind, _changed(true, thing.colour, colour))


def _changed(true: list[str], words: str, other: str) -> dict[str, bool]:
    """Return sentences with words of the first one replaced, which makes it false."""
    first, *rest = true
    assert words in first
    return {first.replace(words, other, 1): False, **dict.fromkeys(rest, True)}


def _sentences(scene: Scene, index: int) -> list[str]:
    """Return true sentences about a thing."""
    thing = scene.things[index]
    first = f"The {thing.colour} {thing.shape} lies {_place(scene, thing)} and has a sharp outline."
    size = f"The {thing.shape} is {thing.size}, compared with all that is drawn around it."
    return [first, *_beside(scene, thing), size, _PLAIN]


def _place(scene: Scene, thing: Thing) -> str:
    region = AnnotatedRegion(thing.box, thing.shape)
    return position_in(CaptionTarget(scene.width, scene.height, (region,)), thing.box)


def _mirrored(place: str) -> str:
    """Return the opposite of a place in the picture; empty for the middle."""
    words = [_OPPOSITE.get(word, word) for word in place.split()]
    return "" if place.split() == words else " ".join(words)


def _beside(scene: Scene, thing: Thing) -> list[str]:
    """Return a true sentence on what the thing lies beside, if one is clear."""
    shapes = [each.shape for each in scene.things]
    for other in scene.things:
        if shapes.count(other.shape) > 1 or other.shape == thing.shape:
            continue
        side = "to the left of" if thing.box[2] < other.box[0] else ""
        side = side or ("to the right of" if thing.box[0] > other.box[2] else "")
        if side:
            return [f"It lies {side} {a(f'{other.colour} {other.shape}')}."]
    return []
