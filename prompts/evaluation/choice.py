"""Evaluation of referring expressions: one question per expression, among a detector's boxes.

The candidates are the regions with a score (a detector's boxes), in an order by hash that differs
from expression to expression. Every candidate whose box overlaps the owner's by half or more
(intersection over union) is right; the label is the candidate that overlaps most. Where no
candidate is right, the owner's region becomes a candidate too, without its mask, which would reveal
the answer; the question's group names this case.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from prompts.dialogue import (
    EvaluationTarget,
    Exchange,
    RegionDefinition,
    filled,
    listed,
)
from prompts.instruction import Instruction
from prompts.referring_expression_comprehension import CHOICE, SUFFIX, TASK, answer_for, overlap
from prompts.trained_text import trained_text
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage

_HIT = 0.5  # intersection over union from which a candidate is right
DETECTED, ADDED = "detected", "ground_truth_added"  # the names of the two groups of questions


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each expression, in the order of the expressions."""
    regions = {region.region_id: region for region in screened.regions}
    detected = [region for region in screened.regions if region.score is not None]
    hasher = instruction.hasher(screened.image)
    talks = []
    for item in screened.items:
        if isinstance(item, Expression):
            meant = regions[item.region_id]
            candidates, group = _candidates(detected, meant)
            ranks = {
                region.region_id: hasher.rank(TASK, item.id, region.region_id)
                for region in candidates
            }
            candidates.sort(key=lambda region: (ranks[region.region_id], region.region_id))
            talks.append([_question(item, meant, candidates, group, instruction)])
    return talks


def _candidates(detected: Sequence[Region], meant: Region) -> tuple[list[Region], str]:
    if any(overlap(region.bbox, meant.bbox) >= _HIT for region in detected):
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
    options = [answer_for(region) for region in candidates]
    label = overlaps.index(max(overlaps))
    wording, prompt = instruction.wordings[CHOICE.name].choose(0)
    request = wording.replace("<description>", trained_text(item.text))
    return Exchange(
        task=TASK,
        request=filled(
            request, "<candidates>", listed([RegionDefinition(region) for region in candidates])
        ),
        answer=options[label],
        prompt=prompt,
        suffix=SUFFIX,
        items=(item.id,),
        targets=(
            EvaluationTarget(
                item_id=item.id,
                group=group,
                references=tuple(
                    option
                    for option, shared in zip(options, overlaps, strict=True)
                    if shared >= _HIT
                ),
                choices=tuple(options),
                label=label,
            ),
        ),
    )
