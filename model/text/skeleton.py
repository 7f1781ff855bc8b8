"""What a template writes around the messages of a conversation, found by writing one of slots.

The text of messages plays no part in it, so data cannot be taken for the template's words.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from model.text.pieces import PieceEncoder
from model.text.template import Template, render
from schemas.errors import UsageError

# Noncharacters, which no template's own text holds, between blanks, which it may trim.
_SLOT = re.compile("\v?\ufdd0([0-9]+)(\ufdd1\v?)")


@dataclass(frozen=True)
class Step:
    """A part of a conversation: a message, a mark, or words of the template.

    Attributes:
        message: the position of the message whose text stands here; None: no message's.
        trimmed: the message's text stands here without the blanks around it.
        mark: the id of a special token; None: it is none.
        words: the template's words.
        supervised: the part is an answer or the stop after it.
        ends_turn: the part is the last of a stop.
    """

    message: int | None = None
    trimmed: bool = False
    mark: int | None = None
    words: str = ""
    supervised: bool = False
    ends_turn: bool = False


def skeleton(
    tokenizer: PreTrainedTokenizerBase,
    encoder: PieceEncoder,
    template: Template,
    roles: Sequence[str],
) -> list[Step]:
    """Return the parts of a conversation in order.

    Args:
        tokenizer: names the special tokens.
        encoder: knows their ids.
        template: the form.
        roles: of the messages, in order; where a user's is last, an answer is to be generated.

    Raises:
        UsageError: the template leaves a message out or repeats it, or has no stop.
    """
    between, slots = _parts(tokenizer, template, roles)
    positions = [position for position, _ in slots]
    if sorted(positions) != list(range(len(roles))):
        raise UsageError(
            f"the chat template of the tokenizer writes the messages {positions} of a conversation "
            f"of {len(roles)}, expected each once: choose the template 'vicuna_v1'"
        )
    asked = roles[:-1] if roles[-1] == "assistant" else roles
    prompt = _parts(tokenizer, template, asked)[0][-1]
    answers = {position for position in positions if roles[position] == "assistant"}
    steps: list[Step] = []
    for index, words in enumerate(between):
        before = positions[index - 1] if index else None
        after = positions[index] if index < len(positions) else None
        if before in answers:
            stop, words = _stop(encoder, template, words)
            steps += stop
        steps += _words(encoder, template, words, prompt if after in answers else words)
        if after is not None:
            steps.append(Step(after, slots[index][1], supervised=after in answers))
    return steps


def _stop(encoder: PieceEncoder, template: Template, words: str) -> tuple[list[Step], str]:
    """Return the stop, with which the words after an answer begin, and the rest of the words."""
    if template.stop is not None:
        stop = Step(words=template.stop, supervised=True, ends_turn=True)
        return [stop], words.removeprefix(template.stop)
    if (mark := encoder.first_mark(words)) is None:
        raise UsageError(
            f"the chat template writes {words!r} after an answer, expected a special token that "
            "ends it: choose the template 'vicuna_v1'"
        )
    start, number, end = mark
    before = Step(words=words[:start], supervised=True)
    return [before, Step(mark=number, supervised=True, ends_turn=True)], words[end:]


def _words(encoder: PieceEncoder, template: Template, words: str, asked: str) -> Iterator[Step]:
    """Yield the template's words; those that a prompt lacks (`asked`) belong to the answer.

    Where a template writes an answer otherwise than a prompt, only a blank belongs to it, as it is
    part of the first word's token.
    """
    end = len(asked) if words.startswith(asked) else len(words.rstrip(" "))
    for text, answers in ((words[:end], False), (words[end:], True)):
        for part in encoder.split(text):
            if isinstance(part, int):
                yield Step(mark=part, supervised=answers)
                continue
            for index, piece in enumerate(re.split(f"({template.learned})", part)):
                yield Step(words=piece, supervised=answers or index % 2 == 1)


def _parts(
    tokenizer: PreTrainedTokenizerBase, template: Template, roles: Sequence[str]
) -> tuple[list[str], list[tuple[int, bool]]]:
    """Return what a template writes before, between and after messages.

    And the messages in order: their positions, and whether they are trimmed.
    """
    slots = [
        {"role": role, "content": f"\v\ufdd0{position}\ufdd1\v"}
        for position, role in enumerate(roles)
    ]
    parts = _SLOT.split(render(tokenizer, template.jinja, slots, generate=roles[-1] == "user"))
    ends = zip(parts[1::3], parts[2::3], strict=True)
    return parts[::3], [(int(position), not end.endswith("\v")) for position, end in ends]
