"""The assembly of conversations from exchanges, which gives regions their numbers.

A task writes requests and answers as parts: text and regions. `assemble` numbers the regions by
first mention, unless the first exchange states an order, writes their placeholders, introduces the image in the style of the build, and puts
what a task says only once into the first turn of the task: a prefix that defines it, a suffix that
names a label set. In the RegionGPT style,

    request=("What is in ", RegionDefinition(dog), "?"), answer="A brown dog."

becomes the user turn `<image>\nWhat is in [1] <region1>?` and the assistant turn `A brown dog.`
"""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.sample import Conversation, Evaluation, Message, Region, Task, region_token
from schemas.style import Style, declared, named, opening


class RegionDefinition(msgspec.Struct, frozen=True, gc=False):
    """A region written as number and placeholder, so that later text can name the region."""

    region: Region


class RegionName(msgspec.Struct, frozen=True, gc=False):
    """The words that name a region defined earlier in the conversation; no placeholder."""

    region: Region


# Text of our own or cleaned text; or a region, written as its placeholder; or a region by name.
Part = str | Region | RegionDefinition | RegionName


class EvaluationTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The right answers of an evaluation question, and the choices where there are some."""

    item_id: str  # the id in the owner's files
    group: str  # the name of the questions that are scored together
    references: tuple[str | tuple[Part, ...], ...] = ()  # all right answers
    choices: tuple[str | tuple[Part, ...], ...] = ()  # answers to choose from
    label: int | None = None  # the position of the right choice, from 0


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request and its answer, as parts: text and regions."""

    task: Task
    request: tuple[Part, ...]
    answer: str | tuple[Part, ...]  # without placeholders: regions are named
    prompt: str  # id of the wording
    prefix: str = ""  # a line above the first request of a task in a conversation
    suffix: str = ""  # added to the first request of a task in a conversation
    items: tuple[str, ...] = ()  # ids of the items that the exchange was made from
    phrase: str = ""  # id of the phrase of a caption that the answer is; empty: no phrase
    # Ids of further phrases without a turn of their own: for the same regions; or, with the turn of
    # a whole caption, for too many regions.
    other_phrases: tuple[str, ...] = ()
    targets: tuple[EvaluationTarget, ...] = ()  # what is scored; one for each part of the answer
    # Ids of regions that no other turn of the conversation is about; an exchange that has such
    # comes first in its conversation.
    apart: tuple[str, ...] = ()
    alone: bool = False  # its conversation is not merged with those of other tasks
    # Regions that get the first numbers of the conversation, in this order; the others are numbered
    # by first mention.
    numbered: tuple[Region, ...] = ()
    follows: bool = False  # needs the turn before it, e.g. for the regions that are defined there

    def phrases(self) -> int:
        """Return the number of phrases that the exchange accounts for."""
        return bool(self.phrase) + len(self.other_phrases)

    def region_ids(self) -> set[str]:
        """Return the ids of the regions that the request and the answer are about."""
        answer = () if isinstance(self.answer, str) else self.answer
        regions = [
            part if isinstance(part, Region) else part.region
            for part in (*self.request, *answer)
            if not isinstance(part, str)
        ]
        return {region.region_id for region in regions}


def listed(regions: Sequence[Part]) -> tuple[Part, ...]:
    """Return regions as the parts of an English list: first, second and third."""
    parts: list[Part] = []
    for position, region in enumerate(regions, start=1):
        if position > 1:
            parts.append(" and " if position == len(regions) else ", ")
        parts.append(region)
    return tuple(parts)


def filled(wording: str, placeholder: str, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return a wording as parts, with the given parts in place of the wording's placeholder."""
    before, _, after = wording.partition(placeholder)
    return (*((before,) if before else ()), *parts, *((after,) if after else ()))


def assemble(
    record_id: str, style: Style, exchanges: Sequence[Exchange], *, text_only: bool = False
) -> Conversation:
    """Return the conversation of these exchanges, in order.

    Args:
        record_id: the id of the record that the conversation becomes.
        style: the style of the build.
        exchanges: the exchanges of the conversation, at least one.
        text_only: whether the conversation has no image to introduce.
    """
    numbering = _Numbering(style, exchanges[0].numbered)
    messages: list[Message] = []
    evaluation: list[Evaluation] = []
    asked: set[Task] = set()
    for turn, exchange in enumerate(exchanges):
        request = numbering.text(exchange.request)
        if exchange.task not in asked:
            request = _first_of_task(request, exchange)
        asked.add(exchange.task)
        if not messages and not text_only:
            request = opening(style, request)
        messages.append(Message("user", request))
        messages.append(Message("assistant", numbering.text(exchange.answer)))
        if exchange.targets:
            evaluation += [
                _evaluation(target, turn, position, numbering)
                for position, target in enumerate(exchange.targets)
            ]
    return Conversation(
        id=record_id,
        turn_tasks=tuple([exchange.task for exchange in exchanges]),
        regions=tuple(numbering.regions),
        messages=tuple(messages),
        prompts=tuple([exchange.prompt for exchange in exchanges]),
        evaluation=tuple(evaluation),
    )


def _first_of_task(request: str, exchange: Exchange) -> str:
    """Return the first request of a task with what the task says only once."""
    line = f"{exchange.prefix}\n{request}" if exchange.prefix else request
    return f"{line} {exchange.suffix}" if exchange.suffix else line


def _evaluation(
    target: EvaluationTarget, turn: int, position: int, numbering: "_Numbering"
) -> Evaluation:
    return Evaluation(
        turn=turn,
        position=position,
        item_id=target.item_id,
        group=target.group,
        references=tuple(map(numbering.text, target.references)),
        choices=tuple(map(numbering.text, target.choices)),
        label=target.label,
    )


class _Numbering:
    """The numbers of the regions of one conversation: the given ones', then by first mention."""

    def __init__(self, style: Style, first: Iterable[Region]) -> None:
        self._style = style
        self._numbers: dict[str, int] = {}
        self.regions: list[Region] = []
        for region in first:
            self._number(region)

    def text(self, parts: str | Iterable[Part]) -> str:
        """Return parts as text; plain text stays unchanged."""
        if isinstance(parts, str):
            return parts
        return "".join([part if isinstance(part, str) else self._word(part) for part in parts])

    def _word(self, part: Region | RegionDefinition | RegionName) -> str:
        if isinstance(part, Region):
            return region_token(self._number(part))
        if isinstance(part, RegionDefinition):
            return declared(self._style, self._number(part.region))
        number = self._numbers.get(part.region.region_id)
        assert number is not None, "a region is named once it was declared, not before"
        return named(self._style, number)

    def _number(self, region: Region) -> int:
        number = self._numbers.get(region.region_id)
        if number is None:
            self.regions.append(region)
            self._numbers[region.region_id] = number = len(self.regions)
        return number
