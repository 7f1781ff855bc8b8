"""The task `region_yes_no`: whether a region is of a class, its own or another one of its image.

Half of the questions, by hash, name the region's own class, and the others a class that other
regions of the image have, so neither the question nor the picture as a whole tells the answer. Such
a class is one of which every object of the image is annotated: then the owner's annotations say that
the region is none of them. It is not asked about where one of its objects lies for the most part in
the region's box, which then holds both, or may be the same object under two names. Where no class is
left, one that the owner has looked for and not seen takes its place; where there is none of these
either, the region is not asked about. A conversation has a turn for each other region, in an order
by hash.

It is not merged with other tasks, whose answers may name the class.
"""

from collections.abc import Sequence

from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.classes import KnownClasses
from schemas.geometry import Box
from schemas.ids import RANK_BITS, pick
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style
from schemas.text import shown_name

_HELD = 0.5  # share of a region's box in that of another one, above which both may be meant
_HALF = 2 ** (RANK_BITS - 1)

YES_NO = WordingSet(
    "region_yes_no",
    ("<region>", "<class>"),
    (
        "Is the object in <region> of the class <class>? Answer yes or no.",
        "Does <region> mark an object of the class <class>? Say yes or no.",
        "Would the label <class> be right for <region>? Reply with yes or no.",
        'Yes or no: <region> shows what is called "<class>".',
        'Is "<class>" the right name for the object in <region>? Answer yes or no.',
        "Look at <region>. Does it belong to the category <class>, yes or no?",
        "Check the label <class> of <region>, and answer yes if it fits, else no.",
        "Answer yes or no: does the object marked by <region> fall under <class>?",
    ),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversation of this task in a list; an empty list without questions."""
    if screened.classes is None:
        return []
    hasher = instruction.hasher(screened.image)
    turns = []
    for region in screened.regions:
        others = _other_classes(region, screened.classes)
        if region.category is None or not others:
            continue
        order, position = hasher.ranks("yes_no", region.region_id)
        choice, side = hasher.ranks("yes_no", "class", region.region_id)
        named = region.category if side < _HALF else pick(others, choice)
        turns.append((order, region.region_id, _question(region, named, instruction, position)))
    return [[turn for _, _, turn in sorted(turns, key=lambda each: each[:2])]] if turns else []


def _question(region: Region, named: str, instruction: Instruction, position: int) -> Exchange:
    wording, prompt = instruction.wordings[YES_NO.name].choose(position)
    shown: Part = RegionDefinition(region) if instruction.style is Style.GPT4ROI else region
    return Exchange(
        task=Task.REGION_YES_NO,
        request=filled(wording.replace("<class>", shown_name(named)), "<region>", (shown,)),
        answer="yes" if named == region.category else "no",
        prompt=prompt,
        alone=True,
    )


def _other_classes(region: Region, classes: KnownClasses) -> Sequence[str]:
    """Return the classes that a region is not of and may be asked about, in order."""
    others = [
        category
        for category, boxes in classes.boxes.items()
        if category != region.category
        and all(_share_within(box, region.bbox) <= _HELD for box in boxes)
    ]
    return others or classes.absent


def _share_within(box: Box, other: Box) -> float:
    """Return the share of a box's area that lies in another one; both in pixels, xyxy."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))
