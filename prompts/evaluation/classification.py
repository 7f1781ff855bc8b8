"""Evaluation of region classification, as in RegionGPT's test on COCO, in three modes (Table 13).

    one_turn_one      a conversation for each region
    multi_turn_all    a conversation for each image, with a turn for each region
    one_turn_all      conversations of one turn, each about up to ten regions; the names of an answer
                      are in the order of the regions: "dog, red car". A name with a comma stands
                      alone

Every region has an entry in `evaluation`, with its turn and its position in the turn's answer. Its
reference is the shown name. The choices are the label set if it is short enough to be stored with
an image, in the order of the owner's ids; the label is the right name's position.
"""

from collections.abc import Sequence

from prompts.dialogue import EvaluationTarget, Exchange, filled, listed
from prompts.instruction import Instruction
from prompts.region_classification import ONE_REGION, SEVERAL_REGIONS, label_set_suffix, spread
from schemas.sample import LabelSet, Region, ScreenedImage, Task
from schemas.text import shown_name


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return conversations about the regions that have a category, in order of the region ids."""
    names = screened.label_set
    regions = [region for region in screened.regions if region.category is not None]
    if not regions:
        return []
    assert names is not None, "a source of categories names its label set"
    choices = tuple(map(shown_name, names.categories))
    targets = {
        region.region_id: _target(region, screened.image.image_id, choices) for region in regions
    }
    return [
        [_exchange(group, targets, names, instruction) for group in turns]
        for turns in spread(regions, instruction.mode)
    ]


def _target(region: Region, group: str, choices: tuple[str, ...]) -> EvaluationTarget:
    answer = shown_name(region.category or "")
    return EvaluationTarget(
        item_id=region.region_id,
        group=group,
        references=(answer,),
        choices=choices,
        label=choices.index(answer) if choices else None,
    )


def _exchange(
    regions: Sequence[Region],
    targets: dict[str, EvaluationTarget],
    names: LabelSet,
    instruction: Instruction,
) -> Exchange:
    wordings = instruction.wordings[(ONE_REGION if len(regions) == 1 else SEVERAL_REGIONS).name]
    wording, prompt = wordings.choose(0)
    return Exchange(
        task=Task.REGION_CLASSIFICATION,
        request=filled(wording, "<region>", listed(regions)),
        answer=", ".join(shown_name(region.category or "") for region in regions),
        prompt=prompt,
        suffix=label_set_suffix(names.name),
        targets=tuple(targets[region.region_id] for region in regions),
    )
