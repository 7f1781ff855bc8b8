"""The question by which a second model judges what a captioner wrote about a region.

It sees the pictures of a marked region. The question's id ends in a digest of its words, so that an
answer to an older one is never taken for an answer to a newer one.
"""

from prompts.judge import JudgePrompt
from schemas.item import Attribute

JUDGED = JudgePrompt(
    "recap_judge",
    """\
The object marked {mark}{name} is outlined in both pictures. Somebody wrote about it:

{text}

Is every statement in that text true of the object marked {mark}? Go by what can be seen. The text \
is false where it is about another object, or where any color, material, part, place or count in \
it is wrong. Answer with one word: yes or no.""",
)

_ATTRIBUTES = {
    "colour": "Its color is {}.",
    "material": "It is made of {}.",
    "shape": "Its shape is {}.",
    "state": "Its state is {}.",
    "text": "On it stands: {}",
    "attribute": "It is {}.",
}


def judge_question(text: str, mark: int, class_name: str | None) -> str:
    """Return the question whether all of a text is true of a marked region.

    Args:
        text: one or more sentences, or a phrase.
        mark: the number beside the region in the picture.
        class_name: the region's class in readable form; None: it has none.
    """
    name = f", a {class_name}," if class_name else ""
    return JUDGED.fill(mark=str(mark), name=name, text=text)


def attribute_sentence(attribute: Attribute) -> str:
    """Return an attribute of a region as a sentence about it: "Its color is red."."""
    return _ATTRIBUTES[attribute.name].format(attribute.value)
