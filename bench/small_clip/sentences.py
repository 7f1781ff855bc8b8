"""True and false sentences about a drawn shape, in many wordings.

Every sentence is a wording with facts filled in. Its claims about shape, colour and size are known,
and so is whether a caption is true of a crop. Sentences also mention the position and neighbours of
the shape, which cannot be seen in a crop.
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
    # Wordings without a visible claim, which count as true of any crop.
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
_MUTED = "colors that are muted or mixed"  # for crops of photographs
_RANKS = ("the largest", "the smallest", "one")
_VERTICAL = {"at the top": "upper", "at the bottom": "lower"}
_SHARES = {  # phrase by the minimum share of the picture that the shape covers
    0.5: "more than half of it",
    0.25: "between a quarter and a half of it",
    0.1: "between a tenth and a quarter of it",
    0.02: "less than a tenth of it",
    0.0: "less than a fiftieth of it",
}
_OBLONG = 1.5  # ratio of the longer to the shorter side of an oblong shape


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts about one shape of a scene, as the words that fill in wordings."""

    shape: str
    colour: str
    size: str
    form: str
    share: str  # share of the picture that the shape covers
    place: str
    number: str  # number of all shapes in the scene
    rank: str  # rank of the shape by size
    relation: str  # position relative to another shape
    other_shape: str
    other_colour: str


def facts_of(scene: Scene, index: int, rng: np.random.Generator) -> Facts:
    """Return the facts about a shape and a random neighbour, itself if the scene has no other."""
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
    """Return random wordings that have at least a number of words when filled in.

    Args:
        facts: the facts to fill in.
        rng: source of the random choices.
        words: minimum number of words.
        claiming: whether the last wording must make a claim about shape, colour or size.
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
    """Return the facts for each sentence, so that exactly one claim becomes false.

    If no sentence makes a claim, all facts stay true.

    Args:
        wordings: the wordings of the sentences.
        facts: the true facts.
        rng: source of the random choice of sentence, attribute and value.
        last: whether the false claim must be in the last sentence.
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
    """Return the claims of a caption as pairs of attribute and value."""
    return {
        (attribute, getattr(of_sentence, attribute))
        for wording, of_sentence in zip(wordings, facts, strict=True)
        for attribute in _claimed(wording)
    }


def _claimed(wording: str) -> list[str]:
    return [attribute for attribute in VALUES if attribute in FIELDS[wording]]


def caption(wordings: Sequence[str], facts: Sequence[Facts]) -> str:
    """Return the caption made of wordings, each filled in with the facts at the same index."""
    text = " ".join(
        wording.format(**vars(of_sentence))
        for wording, of_sentence in zip(wordings, facts, strict=True)
    )
    return _ARTICLE.sub(r"\1n", text)


def every_text() -> list[str]:
    """Return texts that together contain every word of all possible captions."""
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
