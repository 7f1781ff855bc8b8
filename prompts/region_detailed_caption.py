"""The task `region_detailed_caption`: a detailed description of one region, written by a model.

An image has one such conversation, with a turn for each region that has a caption, in an order by hash.
For half of the images, by hash, it is not merged with the conversations of other tasks, so that a
detailed caption does not only ever follow the name of its region.
Where the captioner also wrote phrases, sentences or attributes, brief conversations and such about
attributes go with it.
A region has a bare placeholder in RegionGPT style, and a name in GPT4RoI style, as in
`region_caption`.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from prompts import region_attribute, region_brief
from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import pick
from schemas.item import DetailedCaption
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

DETAILED = WordingSet(
    "region_detailed_caption",
    ("<region>",),
    (
        "Describe <region> as fully as you can.",
        "Give a thorough description of what <region> shows.",
        "What does <region> look like? Describe it in detail.",
        "Write a paragraph about the contents of <region>.",
        "Tell me everything that you can make out in <region>.",
        "Look closely at <region> and describe its appearance at length.",
        "Describe the object in <region> as precisely as you can.",
        "Which details can you see in <region>? Describe them all.",
        "Describe <region> in depth: its color, its texture, its condition and its surroundings.",
        "I would like a full account of <region>, in several sentences.",
        "Study <region> and describe in detail what is in it.",
        "Help me picture <region> by describing it with care.",
        "What is distinctive about <region>? Describe it closely.",
        "Describe the visual properties of <region> in complete sentences.",
        "How would you describe <region> to somebody who cannot see it?",
        "Provide an extensive caption for <region>.",
    ),
)

# The sets of further questions about regions that are described in several parts.
FURTHER_SETS = (*region_brief.BY_KIND.values(), *region_attribute.BY_NAME.values())


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations about captions; an empty list without captions."""
    hasher = instruction.hasher(screened.image)
    ranked = sorted(
        [
            (*hasher.ranks("detailed", region.region_id), region)
            for region in screened.regions
            if region.caption is not None
        ],
        key=lambda item: (item[0], item[2].region_id),
    )
    written = {
        item.region_id: item.id for item in screened.items if isinstance(item, DetailedCaption)
    }
    alone = pick((False, True), hasher.rank("detailed", "alone"))
    turns = [
        replace(_question(region, instruction, position, written), alone=alone)
        for _, position, region in ranked
    ]
    if not turns:
        return []
    captioned = replace(
        screened, regions=tuple(each for each in screened.regions if each.caption is not None)
    )
    brief = region_brief.dialogues(captioned, instruction)
    return [turns, *brief, *region_attribute.dialogues(captioned, instruction)]


def _question(
    region: Region, instruction: Instruction, position: int, written: Mapping[str, str]
) -> Exchange:
    assert region.caption is not None, "only regions with captions are asked about"
    wording, prompt = instruction.wordings[DETAILED.name].choose(position)
    shown: Part = RegionDefinition(region) if instruction.style is Style.GPT4ROI else region
    return Exchange(
        task=Task.REGION_DETAILED_CAPTION,
        request=filled(wording, "<region>", (shown,)),
        answer=region.caption,
        prompt=prompt,
        items=(written[region.region_id],) if region.region_id in written else (),
    )
