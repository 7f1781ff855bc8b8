"""The claims of a sentence about its object that boxes can contradict: places and sides.

Only what is said of the object itself counts ("It lies in the upper left"), not what is said of its
parts ("a handle on the left"), and only what is clearly otherwise is contradicted: a box whose
middle lies well within the other half, or wholly on the other side of all objects of the class.

Frame: the upright picture; origin at its top-left corner, x to the right, y down, pixels.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from schemas.geometry import Box
from transforms.caption_names import own_names, pattern_of

_FAR = 0.6  # share of a picture's side beyond which a middle is in the other half

_STANDS = (
    r"(?:is|lies|stands|sits|rests|hangs|appears|can be seen)(?: (?:just|directly|immediately"
    r"|located|positioned|placed|situated|seen|standing|lying|sitting|hanging|visible))*"
)
_PLACE = re.compile(
    r"(?:in|at|on|near|toward|towards) the (?:very |far )?"
    r"((?:upper|lower|top|bottom)?[ -]?(?:left|right)?)(?:-hand)?"
    r"(?: (?:corner|side|part|half|third|edge|area))?"
    r"(?: of the (?:picture|image|photo|scene|frame|view))?(?=$| ?[.,;:]| and | with | where )"
)
_SIDE = re.compile(r"(?:to the (left|right) of|(above|below)) (?:an?|the|another|one|its)? ?")
_WORDS = r"(?:[^\W_]+[ -]){0,3}?"  # before a noun: "large red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A region in its picture, and what else is annotated there."""

    width: int  # of the picture, pixels
    height: int
    box: Box  # xyxy, pixels
    class_name: str  # in readable form
    others: Sequence[tuple[str, Box]] = ()  # class and box of each other region


def wrong_place(sentence: str, placed: Placed) -> str:
    """Return the words of a sentence that the boxes contradict; else empty.

    >>> cup = Placed(width=90, height=60, box=(0, 0, 20, 20), class_name="cup")
    >>> wrong_place("The cup is in the lower right.", cup)
    'in the lower right'
    """
    lower = sentence.lower()
    for subject in _subjects(placed.class_name).finditer(lower):
        rest = lower[subject.end() :]
        match = _PLACE.match(rest)
        if match and _elsewhere(match[1], placed):
            return match.group().strip()
        side = _SIDE.match(rest)
        if side and (landmark := _landmark(rest[side.end() :], placed)):
            direction = side[1] or side[2]
            boxes = [box for name, box in placed.others if name == landmark]
            if all(_opposite(direction, placed.box, box) for box in boxes):
                return f"{side.group().strip()} {landmark}"
    return ""


@lru_cache(maxsize=4096)
def _subjects(class_name: str) -> re.Pattern[str]:
    """Return a pattern of the object as a subject, and of the verb of its place."""
    own = f"(?:an?|the|this|that) {_WORDS}{own_names(class_name)}"
    return re.compile(rf"(?:^|\band )(?:(?:it|this|{own}) )?{_STANDS} ")


def _landmark(rest: str, placed: Placed) -> str:
    """Return the class of another region that words begin with; empty: it is none."""
    for name in sorted({name for name, _ in placed.others}, key=lambda name: (-len(name), name)):
        if re.match(rf"{_WORDS}{pattern_of(name.lower())}", rest):
            return name
    return ""


def _elsewhere(words: str, placed: Placed) -> bool:
    """Return whether a box lies clearly elsewhere than in the named part of its picture."""
    across = (placed.box[0] + placed.box[2]) / 2 / placed.width
    down = (placed.box[1] + placed.box[3]) / 2 / placed.height
    said = re.findall("upper|lower|top|bottom|left|right", words)
    wrong = {"upper": down > _FAR, "top": down > _FAR, "left": across > _FAR}
    wrong |= {"lower": down < 1 - _FAR, "bottom": down < 1 - _FAR, "right": across < 1 - _FAR}
    return any(wrong[word] for word in said)


def _opposite(direction: str, box: Box, other: Box) -> bool:
    """Return whether a box's middle lies beyond another box, on the opposite side of it."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    beyond = {"left": x > other[2], "right": x < other[0], "above": y > other[3]}
    return beyond.get(direction, y < other[1])
