"""Evaluation of yes-or-no questions about the whole image: one conversation of one turn each.

The question is the owner's, word for word, and no wording of ours asks for a short answer: POPE is
scored on what a model says to its questions as they stand. The group is the split, for POPE's
splits are three ways of drawing what is not there, and numbers are given for each.
"""

from prompts.dialogue import EvaluationTarget, Exchange
from prompts.image_conversation import PROMPT
from prompts.instruction import Instruction
from schemas.item import YesNoQuestion
from schemas.sample import ScreenedImage, Task

CHOICES = ("yes", "no")  # in the words of POPE's labels


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each question that yes or no answers, in order of the items."""
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
        target=EvaluationTarget(
            item_id=item.id,
            group=group,
            references=(CHOICES[label],),
            choices=CHOICES,
            label=label,
        ),
    )
