"""Evaluation of descriptions of related regions: a conversation of one turn per relationship.

The request is for a detailed description of the subject, and for its relationship to the object:

    <image>
    Describe [1] <region1> in detail, and how it relates to [2] <region2>.

A judge scores the description by the names and the predicate, which are the reference: "cup on
table".
"""

from prompts.dialogue import EvaluationTarget, Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.item import Relationship
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import shown_name

DESCRIPTION = WordingSet(
    "region_relationship_evaluation",
    ("<region>", "<other>"),
    ("Describe <region> in detail, and how it relates to <other>.",),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each relationship of regions with names, in order of the items."""
    regions = {region.region_id: region for region in screened.regions}
    group = screened.image.split
    return [
        [_exchange(item, regions, group, instruction)]
        for item in screened.items
        if isinstance(item, Relationship)
        and all(regions[name].category is not None for name in item.region_ids())
    ]


def _exchange(
    item: Relationship, regions: dict[str, Region], group: str, instruction: Instruction
) -> Exchange:
    subject, other = regions[item.subject_id], regions[item.object_id]
    wording, prompt = instruction.wordings[DESCRIPTION.name].choose(0)
    request: list[Part] = []
    for part in filled(wording, "<region>", (RegionDefinition(subject),)):
        if isinstance(part, str) and "<other>" in part:
            request += filled(part, "<other>", (RegionDefinition(other),))
        else:
            request.append(part)
    names = [shown_name(region.category or "") for region in (subject, other)]
    answer = f"{names[0]} {item.predicate} {names[1]}"
    return Exchange(
        task=Task.REGION_RELATIONSHIP,
        request=tuple(request),
        answer=answer,
        prompt=prompt,
        items=(item.id,),
        targets=(EvaluationTarget(item_id=item.id, group=group, references=(answer,)),),
        numbered=(subject, other),
    )
