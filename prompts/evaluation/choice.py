"""Choosing the region that an expression means, among a detector's: a conversation for each.

The candidates are the regions with a score, for a detector drew them, in an order by hash that is
another one for each expression. Right is every candidate whose box overlaps the owner's by half or
more (intersection over union); the label is the one that overlaps most. Where there is none, the
owner's region is a candidate as well, without its mask, which no other has; the group says so.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from prompts.dialogue import (
    EvaluationTarget,
    Exchange,
    RegionDefinition,
    RegionName,
    filled,
    listed,
)
from prompts.instruction import Instruction
from prompts.referring_expression_comprehension import CHOICE, SUFFIX, TASK, overlap
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage

HIT = 0.5  # intersection over union from which a candidate is right
DETECTED, ADDED = "detected", "ground_truth_added"  # groups


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each expression, in their order."""
    regions = {region.region_id: region for region in screened.regions}
    detected = [region for region in screened.regions if region.score is not None]
    hasher = instruction.hasher(screened.image)
    talks = []
    for item in screened.items:
        if isinstance(item, Expression):
            meant = regions[item.region_id]
            candidates, group = _candidates(detected, meant)
            ranks = {one.region_id: hasher.rank(TASK, item.id, one.region_id) for one in candidates}
            candidates.sort(key=lambda one: (ranks[one.region_id], one.region_id))
            talks.append([_question(item, meant, candidates, group, instruction)])
    return talks


def _candidates(detected: Sequence[Region], meant: Region) -> tuple[list[Region], str]:
    if any(overlap(region.bbox, meant.bbox) >= HIT for region in detected):
        return list(detected), DETECTED
    return [*detected, replace(meant, mask=None)], ADDED


def _question(
    item: Expression,
    meant: Region,
    candidates: Sequence[Region],
    group: str,
    instruction: Instruction,
) -> Exchange:
    overlaps = [overlap(region.bbox, meant.bbox) for region in candidates]
    options = [(RegionName(region),) for region in candidates]
    label = overlaps.index(max(overlaps))
    wording, prompt = instruction.wordings[CHOICE.name].choose(0)
    request = wording.replace("<description>", item.text)
    return Exchange(
        task=TASK,
        request=filled(
            request, "<candidates>", listed([RegionDefinition(one) for one in candidates])
        ),
        answer=options[label],
        prompt=prompt,
        suffix=SUFFIX,
        items=(item.id,),
        target=EvaluationTarget(
            item_id=item.id,
            group=group,
            references=tuple(
                option for option, shared in zip(options, overlaps, strict=True) if shared >= HIT
            ),
            choices=tuple(options),
            label=label,
        ),
    )
