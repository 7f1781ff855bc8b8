"""True and false sentences about a drawn thing, in many wordings.

Every sentence is filled in from facts; what it claims of shape, colour and size is known, so which
caption is true of which crop is known too. Where the thing lies, and what lies beside it, is said
as well, but cannot be seen in a crop.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Literal, get_args

import numpy as np

from pipelines.sample_world.scene import Relation, Scene, Size
from pipelines.sample_world.shapes import COLOURS, SHAPES
from pipelines.sample_world.words import MIDDLE, NUMBERS, places, plural

Attribute = Literal["shape", "colour", "size"]
VALUES: dict[Attribute, tuple[str, ...]] = {
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
    "This is a {shape} of {size} size, and its colour is {colour}.",
    "It is a {shape}.",
    "It is {colour}.",
    "It is {size}.",
    "It is {colour} all over.",
    "It is a {colour} {shape} with a thin darker edge.",
    "Its colour is {colour}.",
    "Its shape is that of a {shape}.",
    "It has the outline of a {shape}.",
    "The {shape} is {colour}.",
    "The {shape} is {size}.",
    "The {shape} is {size} and {colour}.",
    "The {colour} {shape} is {size}.",
    "The {colour} {shape} is {size} in the picture.",
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
    "The {shape} lies {place}, {relation} a {neighbour}.",
    "A {colour} {shape} {relation} a {neighbour}.",
    "A {size} {colour} {shape} {place}, {relation} a {neighbour}.",
    "It is {relation} a {neighbour}, and it is {colour}.",
    "Near it is a {neighbour}; the {shape} itself is {colour}.",
    "There is a {shape} {place} of the image, with {number} others around it, and it is {colour}.",
)

FIELDS = {
    wording: [name for _, name, _, _ in Formatter().parse(wording) if name] for wording in WORDINGS
}
_ARTICLE = re.compile(r"\b([Aa])(?= [aeiou])")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of one thing of a scene."""

    shape: str
    colour: str
    size: str
    place: str = MIDDLE
    relation: str = "beside"  # to the neighbour
    neighbour: str = "wall"
    number: str = NUMBERS[0]  # of the other things


def facts_of(scene: Scene, index: int, rng: np.random.Generator) -> Facts:
    """Return the facts of a thing, with one of its neighbours, if it has any."""
    thing = scene.things[index]
    others = [k for k, other in enumerate(scene.things) if k != index and not other.crowd]
    beside = {}
    if others:
        other = int(rng.choice(others))
        neighbour = scene.things[other]
        beside = {
            "relation": str(scene.relation(index, other)),
            "neighbour": f"{neighbour.colour} {neighbour.shape}",
        }
    return Facts(
        shape=thing.shape,
        colour=thing.colour,
        size=thing.size,
        place=str(rng.choice(places(scene, index))),
        number=NUMBERS[len(others)],
        **beside,
    )


def draw_wordings(facts: Facts, rng: np.random.Generator, words: int) -> tuple[str, ...]:
    """Return wordings of which, filled in, the last one reaches a number of words."""
    wordings: list[str] = []
    while len(caption(wordings, [facts] * len(wordings)).split()) < words:
        wordings.append(WORDINGS[rng.integers(len(WORDINGS))])
    return tuple(wordings)


def falsified(
    wordings: Sequence[str], facts: Facts, rng: np.random.Generator, *, last: bool = False
) -> list[Facts]:
    """Return the facts of each sentence, one of which makes one claim that is false.

    Args:
        wordings: of the sentences; at least one, and with `last` the last, claims something.
        facts: that are true.
        rng: chooses sentence, attribute and value.
        last: whether it is the last sentence that turns false.
    """
    claims = [
        (place, attribute)
        for place, wording in enumerate(wordings)
        for attribute in VALUES
        if attribute in FIELDS[wording] and (not last or place == len(wordings) - 1)
    ]
    place, attribute = claims[rng.integers(len(claims))]
    others = [value for value in VALUES[attribute] if value != getattr(facts, attribute)]
    told = [facts] * len(wordings)
    told[place] = replace(facts, **{attribute: str(rng.choice(others))})
    return told


def caption(wordings: Sequence[str], told: Sequence[Facts]) -> str:
    """Return wordings filled in, each with its own facts."""
    text = " ".join(
        wording.format(**vars(facts)) for wording, facts in zip(wordings, told, strict=True)
    )
    return _ARTICLE.sub(r"\1n", text)


def every_text() -> list[str]:
    """Return texts that hold, between them, every word that captions may hold."""
    relations, wheres = get_args(Relation), ("on the left", "on the right", "at the top", "at the bottom")
    nouns = [*VALUES["shape"], *VALUES["colour"], *VALUES["size"]]
    return [*WORDINGS, *nouns, *map(plural, SHAPES), *NUMBERS, *relations, *wheres, MIDDLE]
