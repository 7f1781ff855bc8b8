"""The task `multi_region_answer`: what each of several regions is, respectively.

A turn is about two to four regions of an image, in an order by hash and not all of one class, so that
the answer is right only where each name goes with its own region. The answer names every region
before its class: `Region [1]: dog; Region [2]: cat`. A region has at most one such turn; one whose
class has a semicolon has none.

It is not merged with other tasks, whose answers may name the classes.
"""

from collections.abc import Iterator, Sequence

from prompts.dialogue import Exchange, Part, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import Hasher, pick
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import shown_name

_SIZES = (2, 3, 4)  # regions of a turn
_SEPARATOR = ";"

RESPECTIVELY = WordingSet(
    "multi_region_answer",
    ("<region>",),
    (
        "What are the objects in <region>, respectively? Name each region with its class.",
        "Which classes do <region> belong to, respectively? Put each region before its class.",
        "Say of <region>, respectively, what they show: each region, then its class.",
        "Respectively, what is in <region>? Answer region by region, with one class each.",
        "Give the class of each of <region>, respectively, with the region that it belongs to.",
        "Go through <region> and say which class goes with which region.",
        "Match every one of <region> with the class of the object that it marks.",
        "Tell apart <region>: what is each, respectively? State the region and then its class.",
    ),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversation of this task in a list; an empty list without questions."""
    hasher = instruction.hasher(screened.image)
    named = [region for region in screened.regions if _SEPARATOR not in (region.category or ";")]
    named.sort(key=lambda region: (hasher.rank("several", region.region_id), region.region_id))
    turns = [_question(group, instruction, hasher) for group in _groups(named, hasher)]
    return [turns] if turns else []


def _groups(regions: Sequence[Region], hasher: Hasher) -> Iterator[Sequence[Region]]:
    """Yield the regions of each turn: runs of two to four that are not all of one class."""
    start = 0
    while start + 1 < len(regions):
        size = pick(_SIZES, hasher.rank("several", "size", regions[start].region_id))
        group = regions[start : start + size]
        if len({shown_name(region.category or "") for region in group}) > 1:
            yield group
        start += size


def _question(regions: Sequence[Region], instruction: Instruction, hasher: Hasher) -> Exchange:
    position = hasher.rank("several", "wording", regions[0].region_id)
    wording, prompt = instruction.wordings[RESPECTIVELY.name].choose(position)
    answer: list[Part] = []
    for region in regions:
        assert region.category is not None, "only regions with a class are asked about"
        answer += [f"{_SEPARATOR} "] if answer else []
        answer += [RegionName(region), f": {shown_name(region.category)}"]
    return Exchange(
        task=Task.MULTI_REGION_ANSWER,
        request=filled(wording, "<region>", listed([RegionDefinition(each) for each in regions])),
        answer=tuple(answer),
        prompt=prompt,
        alone=True,
    )
