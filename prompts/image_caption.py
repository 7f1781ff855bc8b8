"""The task `image_caption`: the owner's request and caption of the whole image.

The plain template has no request: the user's turn is only the image, as in the first training
of a projector.
"""

from prompts.dialogue import Exchange
from prompts.image_conversation import PROMPT
from prompts.instruction import Instruction
from schemas.item import Dialogue
from schemas.sample import ScreenedImage, Task

PLAIN = "plain"  # the id of the template without words


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return the conversations of an image, one for each caption."""
    return [
        [
            Exchange(
                task=Task.IMAGE_CAPTION,
                request=() if instruction.plain_captions else (caption_round.request,),
                answer=caption_round.answer,
                prompt=PLAIN if instruction.plain_captions else PROMPT,
                items=(item.id,),
            )
            for caption_round in item.rounds
        ]
        for item in screened.items
        if isinstance(item, Dialogue)
    ]
