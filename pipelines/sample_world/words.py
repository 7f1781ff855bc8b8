"""True English sentences and phrases about a scene, made from the scene's things only.

A description is true of every thing with the named shape, colour, size and place. A description
identifies a thing if it is true of no other thing. Of a crowd only shape and colour are known: its
members may be of any size and anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

from pipelines.sample_world.scene import Relation, Scene
from schemas.geometry import Box

NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
MIDDLE = "in the middle"


@dataclass(frozen=True, kw_only=True)
class Description:
    """A phrase about one thing; an empty field is left out of the phrase."""

    shape: str
    colour: str = ""
    size: str = ""
    position: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.size, self.colour, self.shape, self.position)))

    def holds(self, scene: Scene, index: int) -> bool:
        """Return whether the description is true of a thing."""
        thing = scene.things[index]
        if self.shape != thing.shape or self.colour not in ("", thing.colour):
            return False
        here = self.size in ("", thing.size) and self.position in ("", *places(scene, index))
        return thing.crowd or here


@dataclass(frozen=True, kw_only=True)
class Words:
    """The true phrases about a scene.

    `sides` is False for a picture that is shown turned: no phrase has left, right, top or bottom.
    """

    scene: Scene
    sides: bool = True

    def noun(self, index: int) -> str:
        """Return the colour and shape of a thing, or of a crowd's members: "red circle"."""
        thing = self.scene.things[index]
        return f"{thing.colour} {thing.shape}"

    def descriptions(self, index: int) -> list[Description]:
        """Return the descriptions that identify a thing, shortest first; empty for a crowd."""
        descriptions = [each for each in self._true_of(index) if self._only(each) == [index]]
        return sorted(descriptions, key=lambda each: len(str(each).split()))

    def related(self, index: int) -> list[str]:
        """Return the phrases that identify a thing by its relation to another thing."""
        mine, phrases = self.scene.things[index], {}
        for second, thing in enumerate(self.scene.things):
            relation = self.relations.get((index, second))
            if relation:
                description = Description(shape=mine.shape, colour=mine.colour)
                landmark = Description(shape=thing.shape, colour=thing.colour)
                if self._only_related(description, relation, landmark) == [index]:
                    phrases[f"the {description} {relation} {a(str(landmark))}"] = True
        return list(phrases)

    @cached_property
    def relations(self) -> dict[tuple[int, int], Relation]:
        """The relations between single things, by the indices of the two things."""
        singles = [k for k, thing in enumerate(self.scene.things) if not thing.crowd]
        relations = {pair: self.scene.relation(*pair) for pair in permutations(singles, 2)}
        depth = ("in front of", "behind")
        return {pair: lies for pair, lies in relations.items() if self.sides or lies in depth}

    def _true_of(self, index: int) -> Iterator[Description]:
        thing = self.scene.things[index]
        if thing.crowd:
            return
        sizes = ("",) if thing.size == "medium" else ("", thing.size)
        wheres = ("", *places(self.scene, index)) if self.sides else ("",)
        for size, colour, position in product(sizes, ("", thing.colour), wheres):
            yield Description(shape=thing.shape, colour=colour, size=size, position=position)

    def _only(self, description: Description) -> list[int]:
        return [k for k in range(len(self.scene.things)) if description.holds(self.scene, k)]

    def _only_related(
        self, description: Description, lies: Relation, landmark: Description
    ) -> list[int]:
        """Return the indices of the things that a phrase may mean."""
        landmarks = self._only(landmark)
        return [
            k for k in self._only(description) if any(self._may_lie(k, lies, m) for m in landmarks)
        ]

    def _may_lie(self, first: int, lies: Relation, second: int) -> bool:
        """Return whether a relation between two things may be true; with a crowd always True."""
        things = self.scene.things[first], self.scene.things[second]
        if first == second or any(thing.crowd for thing in things):
            return first != second
        (x, y), (x2, y2) = (_centre(thing.box) for thing in things)
        sides = {"left of": x < x2, "right of": x > x2, "above": y < y2, "below": y > y2}
        return sides.get(lies, self.relations.get((first, second)) == lies)


def places(scene: Scene, index: int) -> tuple[str, ...]:
    """Return the phrases for the position of a thing's box, in thirds of the picture."""
    x, y = _centre(scene.things[index].box)
    across, down = x / scene.width * 3, y / scene.height * 3
    thirds = []
    if not 1 <= across <= 2:
        thirds.append("on the left" if across < 1 else "on the right")
    if not 1 <= down <= 2:
        thirds.append("at the top" if down < 1 else "at the bottom")
    return tuple(thirds) or (MIDDLE,)


def _centre(box: Box) -> tuple[float, float]:
    x0, y0, x1, y1 = box
    return (x0 + x1) / 2, (y0 + y1) / 2


def a(noun: str) -> str:
    """Return a noun with the indefinite article, e.g. "an oval"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    return noun + ("es" if noun.endswith("s") else "s")


def counted(number: int, noun: str) -> str:
    """Return a number in words with a noun: "two circles"."""
    return f"{NUMBERS[number]} {noun if number == 1 else plural(noun)}"


def listed(words: list[str]) -> str:
    """Return words as one list: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
