"""True and false sentences about a drawn thing, in many wordings.

Every sentence is filled in from facts; what it claims of shape, colour and size is known, so which
caption is true of which crop is known too. Where the thing lies, and what lies beside it, is said
as well, but cannot be seen in a crop.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import get_args

import numpy as np

from pipelines.sample_world.scene import Relation, Scene, Size
from pipelines.sample_world.shapes import COLOURS, SHAPES
from pipelines.sample_world.words import MIDDLE, NUMBERS, places, plural

VALUES: dict[str, tuple[str, ...]] = {
    "shape": tuple(SHAPES),
    "colour": tuple(COLOURS),
    "size": get_args(Size),
}

WORDINGS = (
    "A {colour} {shape}.",
    "A {size} {colour} {shape}.",
    "A {size} {shape}.",
    "A {shape}, {size} and {colour}.",
    "One {colour} {shape}, {size} in size.",
    "This is a {colour} {shape}.",
    "This is a {size}, {colour} {shape}.",
    "This is a {shape} of {size} size, and its color is {colour}.",
    "It is a {shape}.",
    "It is {colour}.",
    "It is {size}.",
    "It is {colour} all over.",
    "It is a {colour} {shape} with a thin darker edge.",
    "Its colour is {colour}.",
    "Its shape is that of a {shape}.",
    "It has the outline of a {shape}.",
    "It looks mainly {colour}.",
    "It looks mainly {colour}, and is {form}.",
    "Within its bounds, {colour} stands out.",
    "The {shape} is {colour}.",
    "The {shape} is {size}.",
    "The {shape} is {size} and {colour}.",
    "The {colour} {shape} is {size}.",
    "The {colour} {shape} is {size} in the picture.",
    "The {shape} is {place} of the picture and takes up {share}.",
    "The shape is a {shape}.",
    "The {colour} shape is a {shape}.",
    "The thing shown is a {size} {shape}, filled with {colour}.",
    "The object in the middle is a {colour} {shape}.",
    "The object is a {shape} painted {colour}.",
    "The region shows a {size} {colour} {shape}.",
    "The picture shows a {shape} that is {colour}.",
    "There is a {size} {shape} coloured {colour}.",
    "Here one can see a {colour} thing that has the form of a {shape}.",
    "A single {shape} in {colour}, {size} as these things go.",
    "A {size} {colour} {shape} {place} of the picture.",
    "The {colour} {shape} is {place} of the image.",
    "The {shape} lies {place}, {relation} a {other_colour} {other_shape}.",
    "A {colour} {shape} {relation} a {other_colour} {other_shape}.",
    "A {size} {colour} {shape} {place}, {relation} a {other_shape}.",
    "It is {relation} a {other_colour} {other_shape}, and it is {colour}.",
    "Near it is a {other_colour} {other_shape}; the {shape} itself is {colour}.",
    "There is a {shape} {place} of the image, with {number} others around it, and it is {colour}.",
    # What claims nothing that can be seen: true of any crop, as far as a crop can tell.
    "It is {form}.",
    "It lies {relation} the {other_shape}.",
    "It lies {relation} one {other_shape} and overlaps the bounds of another {other_shape}.",
    "It is {rank} of {number} marked objects.",
)

FIELDS = {
    wording: [name for _, name, _, _ in Formatter().parse(wording) if name] for wording in WORDINGS
}
_ARTICLE = re.compile(r"\b([Aa])(?= [aeiou])")
_CORNERS = ("in the upper left", "in the upper right", "in the lower left", "in the lower right")
_SIDES = ("on the left", "on the right", "at the top", "at the bottom")
_FORMS = ("clearly wider than tall", "clearly taller than wide", "about as wide as tall")
_BESIDE, _TO_THE = ("left of", "right of"), "to the "
_MUTED = "colors that are muted or mixed"  # of things in photographs
_RANKS = ("the largest", "the smallest", "one")
_VERTICAL = {"at the top": "upper", "at the bottom": "lower"}
_SHARES = {  # of a picture that a thing takes up, at least
    0.5: "more than half of it",
    0.25: "between a quarter and a half of it",
    0.1: "between a tenth and a quarter of it",
    0.02: "less than a tenth of it",
    0.0: "less than a fiftieth of it",
}
_OBLONG = 1.5  # of one side to the other


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts about one thing of a scene."""

    shape: str
    colour: str
    size: str
    form: str
    share: str  # of the picture
    place: str
    number: str  # of the things of the scene, it included
    rank: str  # among them, by size
    relation: str  # to another of them
    other_shape: str
    other_colour: str


def facts_of(scene: Scene, index: int, rng: np.random.Generator) -> Facts:
    """Return the facts of a thing and of a neighbour; a lone thing is its own neighbour."""
    thing = scene.things[index]
    others = [k for k in range(len(scene.things)) if k != index] or [index]
    other = int(rng.choice(others))
    x0, y0, x1, y1 = thing.box
    width, height = x1 - x0, y1 - y0
    relation = str(scene.relation(index, other))
    to_the = _TO_THE if relation in _BESIDE and rng.random() < 0.5 else ""
    share = width * height / scene.width / scene.height
    wheres = places(scene, index)
    corner = f"in the {_VERTICAL[wheres[1]]} {wheres[0].split()[-1]}" if len(wheres) == 2 else ""
    return Facts(
        shape=thing.shape,
        colour=thing.colour,
        size=thing.size,
        form=_FORMS[0 if width >= _OBLONG * height else 1 if height >= _OBLONG * width else 2],
        share=next(words for least, words in _SHARES.items() if share >= least),
        place=str(rng.choice([*wheres, corner] if corner else wheres)),
        number=str(rng.choice([NUMBERS[len(scene.things)], str(len(scene.things))])),
        rank=str(rng.choice(_RANKS)),
        relation=to_the + relation,
        other_shape=scene.things[other].shape,
        other_colour=scene.things[other].colour,
    )


def draw_wordings(
    facts: Facts, rng: np.random.Generator, words: int, *, claiming: bool = True
) -> tuple[str, ...]:
    """Return wordings that hold a number of words, or a few more, once they are filled in.

    Args:
        facts: with which they are filled in.
        rng: chooses.
        words: to reach.
        claiming: whether the last one must claim something of shape, colour or size.
    """
    wordings: list[str] = []
    while len(caption(wordings, [facts] * len(wordings)).split()) < words or (
        claiming and not _claimed(wordings[-1])
    ):
        wordings.append(WORDINGS[rng.integers(len(WORDINGS))])
    return tuple(wordings)


def falsified(
    wordings: Sequence[str], facts: Facts, rng: np.random.Generator, *, last: bool = False
) -> list[Facts]:
    """Return the facts of each sentence, with one claim of one sentence made false.

    Where no sentence claims anything, all facts stay as they are.

    Args:
        wordings: of the sentences.
        facts: that are true.
        rng: chooses sentence, attribute and value.
        last: whether it is the last sentence that turns false.
    """
    claimed = [facts] * len(wordings)
    first = len(wordings) - 1 if last else 0
    claims = [
        (index, attribute)
        for index in range(first, len(wordings))
        for attribute in _claimed(wordings[index])
    ]
    if claims:
        index, attribute = claims[rng.integers(len(claims))]
        others = [value for value in VALUES[attribute] if value != getattr(facts, attribute)]
        claimed[index] = replace(facts, **{attribute: str(rng.choice(others))})
    return claimed


def claimed_values(wordings: Sequence[str], facts: Sequence[Facts]) -> set[tuple[str, str]]:
    """Return the claims of a caption: attributes and values."""
    return {
        (attribute, getattr(of_sentence, attribute))
        for wording, of_sentence in zip(wordings, facts, strict=True)
        for attribute in _claimed(wording)
    }


def _claimed(wording: str) -> list[str]:
    return [attribute for attribute in VALUES if attribute in FIELDS[wording]]


def caption(wordings: Sequence[str], facts: Sequence[Facts]) -> str:
    """Return wordings filled in, each with its own facts."""
    text = " ".join(
        wording.format(**vars(of_sentence))
        for wording, of_sentence in zip(wordings, facts, strict=True)
    )
    return _ARTICLE.sub(r"\1n", text)


def every_text() -> list[str]:
    """Return texts that together hold every word of all possible captions."""
    values = [value for values in VALUES.values() for value in values]
    named = [*values, *map(plural, SHAPES), *NUMBERS, *map(str, range(len(NUMBERS)))]
    phrases = [
        *_FORMS,
        *_SHARES.values(),
        *_RANKS,
        *get_args(Relation),
        *_SIDES,
        *_CORNERS,
        MIDDLE,
        _MUTED,
        _TO_THE,
    ]
    return [*WORDINGS, *named, *phrases]
