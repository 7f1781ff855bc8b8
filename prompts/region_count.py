"""The task `region_count`: how many objects of a class an image has.

A conversation has a turn for each class of which every object of the image is annotated, and one for
a class that the owner has looked for and not seen, if there are such, chosen and ordered by hash. The
number is that of the owner's annotations: a cap on regions leaves none of them out.

It is not merged with other tasks, whose turns may name the objects one by one.
"""

from prompts.dialogue import Exchange
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import pick
from schemas.sample import ScreenedImage, Task
from schemas.text import shown_name

COUNT = WordingSet(
    "region_count",
    ("<class>",),
    (
        "How many objects of the class <class> does the picture show? Answer with a number.",
        "Count the objects of the class <class>, and give their number in digits.",
        "How often does the category <class> occur in this image? Reply with a number.",
        'Give the number of objects here that are called "<class>", in digits.',
        "In digits: how many instances of <class> are there?",
        "Look for everything that belongs to the class <class>. How many do you count, in digits?",
        "State as a number how many objects are labeled <class> in the picture.",
        "What is the count of <class> objects in the image? Use digits.",
    ),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversation of this task in a list; an empty list without questions."""
    if screened.classes is None:
        return []
    hasher = instruction.hasher(screened.image)
    numbers = {category: len(boxes) for category, boxes in screened.classes.boxes.items()}
    if absent := screened.classes.absent:
        numbers[pick(absent, hasher.rank("count", "absent"))] = 0
    turns = []
    for category, number in numbers.items():
        order, position = hasher.ranks("count", "class", category)
        turns.append((order, category, _question(category, number, instruction, position)))
    return [[turn for _, _, turn in sorted(turns, key=lambda each: each[:2])]] if turns else []


def _question(category: str, number: int, instruction: Instruction, position: int) -> Exchange:
    wording, prompt = instruction.wordings[COUNT.name].choose(position)
    return Exchange(
        task=Task.REGION_COUNT,
        request=(wording.replace("<class>", shown_name(category)),),
        answer=str(number),
        prompt=prompt,
        alone=True,
    )
