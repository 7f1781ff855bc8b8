"""Evaluation of region captions: one question per region; all of the owner's sentences are right.

The references are the owner's sentences in order of their ids. A metric takes them one by one
(each as a separate entry, as in published numbers) or together; the record serves both.
"""

from collections import defaultdict

from prompts.dialogue import EvaluationTarget, Exchange, filled
from prompts.instruction import Instruction
from prompts.region_caption import EVALUATION
from schemas.item import Expression
from schemas.sample import ScreenedImage, Task


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each region with a sentence about it, in order of the regions."""
    by_region: defaultdict[str, list[Expression]] = defaultdict(list)
    for item in screened.items:
        if isinstance(item, Expression):
            by_region[item.region_id].append(item)
    wording, prompt = instruction.wordings[EVALUATION.name].choose(0)
    talks = []
    for region in screened.regions:
        sentences = sorted(by_region[region.region_id], key=lambda item: (len(item.id), item.id))
        if not sentences:
            continue
        references = tuple(item.text for item in sentences)
        exchange = Exchange(
            task=Task.REGION_CAPTION,
            request=filled(wording, "<region>", (region,)),
            answer=references[0],
            prompt=prompt,
            items=tuple(item.id for item in sentences),
            targets=(
                EvaluationTarget(
                    item_id=region.region_id, group=screened.image.image_id, references=references
                ),
            ),
        )
        talks.append([exchange])
    return talks
