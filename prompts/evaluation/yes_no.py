"""Evaluation of yes-or-no questions about the whole image: a conversation of one turn per question.

The question is the owner's, word for word, and no added wording asks for a short answer: POPE is
scored on a model's answers to the unchanged questions. The group is the split, because POPE's
splits choose absent objects in three ways, and results are reported for each.
"""

from prompts.dialogue import EvaluationTarget, Exchange
from prompts.image_conversation import PROMPT
from prompts.instruction import Instruction
from schemas.item import YesNoQuestion
from schemas.sample import ScreenedImage, Task

CHOICES = ("yes", "no")  # the labels of POPE


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each yes-or-no question, in order of the items."""
    return [
        [_exchange(item, screened.image.split)]
        for item in screened.items
        if isinstance(item, YesNoQuestion)
    ]


def _exchange(item: YesNoQuestion, group: str) -> Exchange:
    label = 0 if item.yes else 1
    return Exchange(
        task=Task.IMAGE_CONVERSATION,
        request=(item.text,),
        answer=CHOICES[label],
        prompt=PROMPT,
        items=(item.id,),
        targets=(
            EvaluationTarget(
                item_id=item.id,
                group=group,
                references=(CHOICES[label],),
                choices=CHOICES,
                label=label,
            ),
        ),
    )
