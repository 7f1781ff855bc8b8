"""Evaluation of detailed descriptions: a conversation of one turn per region or relationship.

A judge scores the descriptions by the owner's questions about them, so the references only say
what is described: the region's name ("teapot"), or the names and the predicate of a relationship
("cup on table"). A relationship's request is about its subject, and names its object as well:

    <image>
    Describe [1] <region1> in detail, and how it relates to [2] <region2>.
"""

from prompts.dialogue import EvaluationTarget, Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.item import Relationship
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import shown_name

ALONE = WordingSet(
    "region_detailed_caption_evaluation",
    ("<region>",),
    ("Describe the region marked by <region> in detail.",),
)
RELATED = WordingSet(
    "region_detailed_relationship_evaluation",
    ("<region>", "<other>"),
    ("Describe <region> in detail, and how it relates to <other>.",),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return the conversations about relationships, then those about other regions with names."""
    regions = {region.region_id: region for region in screened.regions}
    related = [item for item in screened.items if isinstance(item, Relationship)]
    in_relationships = {name for item in related for name in item.region_ids()}
    group = screened.image.split
    talks = [[_about_relationship(item, regions, group, instruction)] for item in related]
    for region_id, region in regions.items():
        if region_id not in in_relationships and region.category is not None:
            talks.append([_about_region(region, group, instruction)])
    return talks


def _about_region(region: Region, group: str, instruction: Instruction) -> Exchange:
    wording, prompt = instruction.wordings[ALONE.name].choose(0)
    name = shown_name(region.category or "")
    return Exchange(
        task=Task.REGION_DETAILED_CAPTION,
        request=filled(wording, "<region>", (region,)),
        answer=name,
        prompt=prompt,
        targets=(EvaluationTarget(item_id=region.region_id, group=group, references=(name,)),),
    )


def _about_relationship(
    item: Relationship, regions: dict[str, Region], group: str, instruction: Instruction
) -> Exchange:
    subject, other = regions[item.subject_id], regions[item.object_id]
    wording, prompt = instruction.wordings[RELATED.name].choose(0)
    request: list[Part] = []
    for part in filled(wording, "<region>", (RegionDefinition(subject),)):
        several = isinstance(part, str) and "<other>" in part
        request += filled(str(part), "<other>", (RegionDefinition(other),)) if several else (part,)
    names = [shown_name(region.category or "") for region in (subject, other)]
    answer = f"{names[0]} {item.predicate} {names[1]}"
    return Exchange(
        task=Task.REGION_DETAILED_CAPTION,
        request=tuple(request),
        answer=answer,
        prompt=prompt,
        items=(item.id,),
        targets=(EvaluationTarget(item_id=item.id, group=group, references=(answer,)),),
        numbered=(subject, other),
    )
