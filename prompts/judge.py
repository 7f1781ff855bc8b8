"""The prompts that have a model judge what another model said of regions; all words are ours.

A prompt's id ends in a digest of its text, so that replies to an older text are never taken for
replies to a newer one.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

_HOLE = re.compile(r"\{(\w+)\}")


class JudgePrompt(NamedTuple):
    """A prompt with named holes, e.g. {description}."""

    name: str
    text: str

    @property
    def id(self) -> str:
        """The name and a digest of the text, e.g. "judge_choice/5d2f8a07"."""
        return f"{self.name}/{sha256(self.text.encode()).hexdigest()[:8]}"

    def fill(self, **values: str) -> str:
        """Return the prompt with its holes filled; what fills a hole may look like one.

        >>> JudgePrompt("judge", "Is {this} so?").fill(this="{that}")
        'Is {that} so?'
        """
        return _HOLE.sub(lambda hole: values[hole[1]], self.text)


CHOICE = JudgePrompt(
    "judge_choice",
    """\
Below are a description of one object in a picture, and a question about the description with \
lettered answers. Choose the answer that fits the description.

- Write the chosen answer alone, letter included, as it stands below.
- Choose exactly one. Give no reasons and repeat nothing.
- Where no answer fits exactly, choose the nearest one.

Description:
{description}

Question: {question}
{options}""",
)

RECOGNITION = JudgePrompt(
    "judge_recognition",
    """\
Going by the description, is the object likely to be of the following kind, or of a kind much \
like it? The same word need not occur. Kind: {name}""",
)
YES, NO = "Yes", "No"

SAME_MEANING = JudgePrompt(
    "judge_same_meaning",
    """\
Two statements say how things in a picture relate to each other. Names in angle brackets stand for \
the things.

The first is true: {truth}
The second is to be checked: {answer}

Does the second mean the same as the first? Other words are fine, as long as the relation and the \
part that each thing has in it stay the same. Write one word and nothing else: True or False.""",
)

RELATION = JudgePrompt(
    "judge_relation",
    """\
A description of one thing in a picture must also tell how it relates to another thing.

The thing, <Prompt0>: {subject}
Its relation to the other thing: {predicate}
The other thing, <Prompt1>: {object}

The description: {answer}

Check both: does it name the thing, by this word or a fitting one? And does it convey this relation \
to the other thing, or one much like it, in whichever words? Write one word and nothing else: True \
if both hold, else False.""",
)
TRUE, FALSE = "True", "False"

WHOLE = JudgePrompt("judge_whole_picture", "The whole picture:")
CROP = JudgePrompt("judge_crop", "The part of the picture around {name}:")
MASK = JudgePrompt("judge_mask", "In that part, the pixels of {name} in white:")
DESCRIBED = "the object that is described"


def choice_question(description: str, question: str, options: Sequence[str]) -> str:
    """Return the prompt for a choice among options, which get the letters from A on."""
    return CHOICE.fill(description=description, question=question, options=lettered(options))


def recognition_question(description: str, name: str) -> str:
    """Return the prompt that asks whether an object of a given kind is described, Yes or No."""
    return choice_question(description, RECOGNITION.fill(name=name), (YES, NO))


def lettered(options: Sequence[str]) -> str:
    r"""Return options as lines that begin with a letter.

    >>> lettered(["red", "blue"])
    'A. red\nB. blue'
    """
    return "\n".join(f"{letter_of(number)}. {option}" for number, option in enumerate(options))


def letter_of(number: int) -> str:
    """Return the letter of an option, from 0."""
    return chr(ord("A") + number)
