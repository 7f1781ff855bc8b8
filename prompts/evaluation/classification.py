"""Evaluation of region classification: one question per region, as in RegionGPT's test on COCO.

The reference is the shown name. The choices are the label set if it is short enough to
be stored with an image, in the order of the owner's ids; the label is the right name's position.
"""

from prompts.dialogue import EvaluationTarget, Exchange, filled
from prompts.instruction import Instruction
from prompts.region_classification import ONE_REGION, label_set_suffix
from schemas.sample import ScreenedImage, Task
from schemas.text import shown_name


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each region that has a category, in order of the region ids."""
    names = screened.label_set
    regions = [region for region in screened.regions if region.category is not None]
    if not regions:
        return []
    assert names is not None, "a source of categories names its label set"
    wording, prompt = instruction.wordings[ONE_REGION.name].choose(0)
    choices = tuple(shown_name(category) for category in names.categories)
    talks = []
    for region in regions:
        answer = shown_name(region.category or "")
        target = EvaluationTarget(
            item_id=region.region_id,
            group=screened.image.image_id,
            references=(answer,),
            choices=choices,
            label=choices.index(answer) if choices else None,
        )
        exchange = Exchange(
            task=Task.REGION_CLASSIFICATION,
            request=filled(wording, "<region>", (region,)),
            answer=answer,
            prompt=prompt,
            suffix=label_set_suffix(names.name),
            targets=(target,),
        )
        talks.append([exchange])
    return talks
