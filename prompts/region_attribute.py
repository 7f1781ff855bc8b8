"""The task `region_attribute`: what color, material, shape or state a region has, or what it says.

A conversation has a turn for each region with such attributes, in an order by hash, about one of
them, also by hash. It is not merged with those of other tasks, whose answers may hold its own.
"""

from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import pick
from schemas.item import DetailedCaption
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

_PLACEHOLDERS = ("<region>",)
# By name of the attribute.
BY_NAME = {
    "colour": WordingSet(
        "region_attribute_colour",
        _PLACEHOLDERS,
        (
            "What color is <region>?",
            "Which color does <region> have? Answer briefly.",
            "Name the color of <region>.",
            "State the main color or colors of <region>.",
            "In a word or two, what is the color of <region>?",
            "Tell me the color of what <region> marks.",
        ),
    ),
    "material": WordingSet(
        "region_attribute_material",
        _PLACEHOLDERS,
        (
            "What is <region> made of?",
            "Which material does <region> consist of? Answer briefly.",
            "Name the material of <region>.",
            "State what material you see in <region>.",
            "In a word or two, what material is <region>?",
            "Tell me what the object in <region> is made of.",
        ),
    ),
    "shape": WordingSet(
        "region_attribute_shape",
        _PLACEHOLDERS,
        (
            "What shape is <region>?",
            "Which shape does <region> have? Answer briefly.",
            "Name the shape of <region>.",
            "In a word or two, how is <region> shaped?",
            "State the form of what <region> marks.",
            "Tell me the shape of the object in <region>.",
        ),
    ),
    "state": WordingSet(
        "region_attribute_state",
        _PLACEHOLDERS,
        (
            "What state is <region> in?",
            "In which condition is <region>? Answer briefly.",
            "Name the state or pose of <region>.",
            "In a word or two, what is the state of <region>?",
            "State the condition of what <region> marks.",
            "Tell me the state that the object in <region> is in.",
        ),
    ),
    "text": WordingSet(
        "region_attribute_text",
        _PLACEHOLDERS,
        (
            "What is written on <region>?",
            "Which text can be read on <region>?",
            "Read out what <region> says.",
            "Copy the text that you see in <region>.",
            "What words are there on <region>?",
            "Tell me what can be read in <region>.",
        ),
    ),
}


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversation of this task in a list; an empty list without attributes."""
    hasher = instruction.hasher(screened.image)
    written = {
        item.region_id: item.id for item in screened.items if isinstance(item, DetailedCaption)
    }
    turns = []
    for region in screened.regions:
        names = sorted({each.name for each in region.attributes if each.name in BY_NAME})
        if names:
            place, choice, position = (
                hasher.rank("attribute", what, region.region_id)
                for what in ("order", "name", "wording")
            )
            turn = _question(region, pick(names, choice), instruction, position, written)
            turns.append((place, region.region_id, turn))
    return [[turn for _, _, turn in sorted(turns, key=lambda each: each[:2])]] if turns else []


def _question(
    region: Region,
    name: str,
    instruction: Instruction,
    position: int,
    written: dict[str, str],
) -> Exchange:
    wording, prompt = instruction.wordings[BY_NAME[name].name].choose(position)
    shown: Part = RegionDefinition(region) if instruction.style is Style.GPT4ROI else region
    values = dict.fromkeys(each.value for each in region.attributes if each.name == name)
    return Exchange(
        task=Task.REGION_ATTRIBUTE,
        request=filled(wording, "<region>", (shown,)),
        answer=", ".join(values),
        prompt=prompt,
        items=(written[region.region_id],) if region.region_id in written else (),
        alone=True,
    )
