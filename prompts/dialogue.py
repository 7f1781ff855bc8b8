"""From exchanges to a conversation: regions get their numbers here, and only here.

A task says what is asked and answered as parts: text, and the regions meant. `assemble` numbers
the regions by first mention, writes their placeholders, introduces the image in the style asked
for, and puts a suffix that names a label set into the first turn of its task.
"""

from collections.abc import Iterable, Sequence

import msgspec

from prompts.style import Style, opening
from schemas.sample import Conversation, Message, Region, Task, region_token

Part = str | Region  # text that is ours or cleaned; or a region, standing for its placeholder


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and its answer."""

    task: Task
    request: tuple[Part, ...]
    answer: str
    prompt: str  # id of the wording
    suffix: str = ""  # ends the request where it is the first of its task in a conversation


def listed(regions: Sequence[Region]) -> tuple[Part, ...]:
    """Return regions as the parts of an English list: one, two and three."""
    parts: list[Part] = []
    for position, region in enumerate(regions, start=1):
        if position > 1:
            parts.append(" and " if position == len(regions) else ", ")
        parts.append(region)
    return tuple(parts)


def filled(wording: str, placeholder: str, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return a wording as parts, with its placeholder replaced by others."""
    before, _, after = wording.partition(placeholder)
    return tuple(part for part in (before, *parts, after) if part)


def assemble(record_id: str, style: Style, exchanges: Sequence[Exchange]) -> Conversation:
    """Return the conversation of these exchanges, in order."""
    numbers: dict[str, int] = {}
    regions: list[Region] = []
    messages: list[Message] = []
    asked: set[Task] = set()
    for exchange in exchanges:
        words = []
        for part in exchange.request:
            if isinstance(part, Region):
                if part.region_id not in numbers:
                    regions.append(part)
                    numbers[part.region_id] = len(regions)
                part = region_token(numbers[part.region_id])
            words.append(part)
        if exchange.suffix and exchange.task not in asked:
            words.append(f" {exchange.suffix}")
        asked.add(exchange.task)
        request = "".join(words)
        messages.append(Message("user", request if messages else opening(style, request)))
        messages.append(Message("assistant", exchange.answer))
    return Conversation(
        id=record_id,
        turn_tasks=tuple(exchange.task for exchange in exchanges),
        regions=tuple(regions),
        messages=tuple(messages),
        prompts=tuple(exchange.prompt for exchange in exchanges),
    )
