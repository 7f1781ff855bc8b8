"""Evaluation of detailed descriptions: a conversation of one turn per region with a name.

A judge scores the descriptions by the owner's questions about them, so the reference only says what
is described: the region's name ("teapot").
"""

from prompts.dialogue import EvaluationTarget, Exchange, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import shown_name

DESCRIPTION = WordingSet(
    "region_detailed_caption_evaluation",
    ("<region>",),
    ("Describe the region marked by <region> in detail.",),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each region with a name, in order of the regions."""
    wording, prompt = instruction.wordings[DESCRIPTION.name].choose(0)
    group = screened.image.split
    return [
        [_exchange(region, shown_name(region.category), group, wording, prompt)]
        for region in screened.regions
        if region.category is not None
    ]


def _exchange(region: Region, name: str, group: str, wording: str, prompt: str) -> Exchange:
    return Exchange(
        task=Task.REGION_DETAILED_CAPTION,
        request=filled(wording, "<region>", (region,)),
        answer=name,
        prompt=prompt,
        targets=(EvaluationTarget(item_id=region.region_id, group=group, references=(name,)),),
    )
