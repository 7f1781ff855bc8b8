"""The task `region_attribute`: what color, material, shape or state a region has, or what it says.

A conversation has a turn for each region with such attributes, in an order by hash, about one of
them, also by hash. Attributes of no stated sort, as an owner writes them, are asked for together; of
regions that overlap so much that they mark the same object, only the first has a turn about them, as
it would tell the others' answers. The conversation is not merged with those of other tasks, whose
answers may hold its own.
"""

from msgspec.structs import replace

from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.referring_expression_comprehension import SAME_OBJECT, overlap
from prompts.wordings import WordingSet
from schemas.ids import Hasher, pick
from schemas.item import DetailedCaption, RegionAttributes
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

# Attributes of no stated sort.
OWNERS = WordingSet(
    "region_attribute_owners",
    _PLACEHOLDERS,
    (
        "Which attributes does <region> have? List them in a few words.",
        "What is <region> like? Answer with a few adjectives or the like.",
        "Name attributes of the object in <region>, such as its color or its state.",
        "Characterize <region> in single words, with commas between them.",
        "Give the attributes by which you would describe <region>, without a sentence.",
        "List what stands out about <region>: color, size, material, state or anything else.",
    ),
)
_SETS = BY_NAME | {"attribute": OWNERS}


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversation of this task in a list; an empty list without attributes."""
    hasher = instruction.hasher(screened.image)
    written = {
        item.region_id: item.id
        for item in screened.items
        if isinstance(item, DetailedCaption | RegionAttributes)
    }
    turns = []
    for region in (*screened.regions, *_of_owner(screened, hasher)):
        names = sorted({each.name for each in region.attributes if each.name in _SETS})
        if names:
            order, choice, position = (
                hasher.rank("attribute", what, region.region_id)
                for what in ("order", "name", "wording")
            )
            turn = _question(region, pick(names, choice), instruction, position, written)
            turns.append((order, region.region_id, turn))
    return [[turn for _, _, turn in sorted(turns, key=lambda each: each[:2])]] if turns else []


def _of_owner(screened: ScreenedImage, hasher: Hasher) -> list[Region]:
    """Return the regions with their owner's attributes, one of those that mark the same object."""
    stated = {
        item.region_id: item.attributes
        for item in screened.items
        if isinstance(item, RegionAttributes)
    }
    ranked = sorted(
        (hasher.rank("attribute", "order", region.region_id), region.region_id, region)
        for region in screened.regions
        if region.region_id in stated
    )
    kept: list[Region] = []
    for _, region_id, region in ranked:
        if all(overlap(region.bbox, other.bbox) < SAME_OBJECT for other in kept):
            kept.append(replace(region, attributes=stated[region_id]))
    return kept


def _question(
    region: Region,
    name: str,
    instruction: Instruction,
    position: int,
    written: dict[str, str],
) -> Exchange:
    wording, prompt = instruction.wordings[_SETS[name].name].choose(position)
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
