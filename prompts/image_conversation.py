"""The task `image_conversation`: the owner's conversations about the whole image.

Where boxes are known, the objects in them are declared before the first request, in the form
"<region1> may feature a dog, <region2> may feature an owl" (GPT4RoI, section 4.2, without "an"). A
share of the conversations has no such line, so that a model learns to do without it.
"""

from collections.abc import Sequence

from prompts.dialogue import Exchange, Part
from prompts.instruction import Instruction
from prompts.relationship.names import article
from schemas.ids import RANK_BITS, Hasher
from schemas.item import Dialogue
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import shown_name

PROMPT = "owner"  # the wording id of the owner's requests


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations, one for each dialogue, with regions in an order by hash."""
    hasher = instruction.hasher(screened.image)
    named = [region for region in screened.regions if region.category is not None]
    named.sort(key=lambda region: (hasher.rank(region.region_id), region.region_id))
    return [
        _conversation(
            item,
            () if _goes_without(item, instruction, hasher) else _declared(named),
            text_only=screened.image.file_name is None,
        )
        for item in screened.items
        if isinstance(item, Dialogue)
    ]


def _conversation(item: Dialogue, declared: Sequence[Part], *, text_only: bool) -> list[Exchange]:
    """Return the rounds of a dialogue; without an image, each needs the rounds before it."""
    return [
        Exchange(
            task=Task.IMAGE_CONVERSATION,
            request=(round_.request,) if turn else _first(declared, round_.request),
            answer=round_.answer,
            prompt=PROMPT,
            follows=text_only and turn > 0,
            items=(item.id,),
        )
        for turn, round_ in enumerate(item.rounds)
    ]


def _first(declared: Sequence[Part], request: str) -> tuple[Part, ...]:
    """Return the line that declares regions, followed by the first request; either may be empty."""
    if declared and request:
        return (*declared, "\n", request)
    return (*declared, request)


def _goes_without(item: Dialogue, instruction: Instruction, hasher: Hasher) -> bool:
    return hasher.rank("without_boxes", item.id) < instruction.no_box_share * (1 << RANK_BITS)


def _declared(regions: Sequence[Region]) -> list[Part]:
    """Return the line that declares regions; empty where there are none."""
    parts: list[Part] = []
    for region in regions:
        parts += [", "] if parts else []
        name = shown_name(region.category or "")
        parts += [region, f" may feature {article(name.split()[0].lower())} {name}"]
    return parts
