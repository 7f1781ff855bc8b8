r"""The composition of a talk: what its user says becomes the messages that a model was trained on.

The picture is introduced and regions are named in the style of the model. A user writes a region as
`<region1>`, for its token alone, or in plain words as `region1`:

    RegionGPT   "What is region1?"            ->  "<image>\nWhat is <region1>?"
    GPT4RoI     "What is region1?"            ->  "The <image> provides an overview of the
                                                   picture.\nWhat is region1 <region1>?"
    GPT4RoI     "And is region1 red?" (later) ->  "And is region1 red?"

Where the first question names no region, all of them are listed before it, and so are those of a
detector (`list_all`); a region that was listed is named by words from there on:

    RegionGPT   "[1] <region1>, [2] <region2>\nWhat is Region [1] doing?"
    GPT4RoI     "region1 <region1>, region2 <region2>\nWhat is region1 doing?"
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.errors import InputError
from schemas.rejection import Rejected
from schemas.sample import IMAGE_TOKEN, region_token
from schemas.style import Style, declared, named, opening
from schemas.text import clean_turn

_TOKEN = re.compile(r"<region([0-9]+)>")
_MENTION = re.compile(r"<region([0-9]+)>|\bregion ?\[?([0-9]+)\b\]?", re.IGNORECASE)

_MOST_DIGITS = 9  # of the number of a region

Message = dict[str, str]  # role and content


@dataclass(frozen=True, kw_only=True)
class Composed:
    """The messages of a talk, as a model takes them, and the regions that they mention."""

    messages: list[Message]  # with `<region1>`, `<region2>`, ... for the regions of `numbers`
    numbers: tuple[int, ...]  # the numbers that the user gave to these, from 1


def compose(
    style: Style,
    messages: Sequence[Mapping[str, str]],
    regions: int,
    *,
    picture: bool = True,
    list_all: bool = False,
) -> Composed:
    """Return the messages of a talk in the style of a model.

    Args:
        style: the model's.
        messages: as the user and the model wrote them; an answer is disarmed.
        regions: the number of the talk's regions.
        picture: whether there is a picture, which stands in the first message of the user.
        list_all: list all regions before the first question, whatever it names.

    Raises:
        InputError: a message names a region that there is not, or has `<image>`.
    """
    namer = _Namer(style, regions)
    written: list[Message] = []
    first = True
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "assistant":
            content = disarmed(content)
        elif role == "user":
            _check(content, regions)
            content = namer.request(content, lists=first and regions > 0, list_all=list_all)
            content = opening(style, content) if first and picture else content
            first = False
        written.append({"role": role, "content": content})
    spoken = [message["content"] for message in written if message["role"] != "system"]
    numbers = sorted({int(number) for text in spoken for number in _TOKEN.findall(text)})
    renumbered = {region_token(old): region_token(new) for new, old in enumerate(numbers, start=1)}
    for message in written:
        content = message["content"]
        message["content"] = _TOKEN.sub(lambda token: renumbered.get(token[0], token[0]), content)
    return Composed(messages=written, numbers=tuple(numbers))


def disarmed(answer: str) -> str:
    """Return an answer without what a model obeys, e.g. `<region1>`; empty: nothing is visible."""
    try:
        return clean_turn(answer)
    except Rejected:
        return ""


def mentioned(text: str, regions: int) -> list[tuple[int, int, int]]:
    """Return the places where a text names regions: start, end, and the region's number, from 1.

    Args:
        text: a question or an answer.
        regions: the number of the talk's regions; others are not among the places.
    """
    mentions = ((*match.span(), _number(match)) for match in _MENTION.finditer(text))
    return [mention for mention in mentions if 1 <= mention[2] <= regions]


@dataclass
class _Namer:
    """Names regions in the requests of a talk, and remembers those that have a name already."""

    style: Style
    regions: int

    def __post_init__(self) -> None:
        self._named = set[int]()

    def request(self, text: str, *, lists: bool, list_all: bool) -> str:
        """Return a request with its regions as the style has them, after a list where it lists."""
        listed = ""
        if lists and (list_all or not self._mentions(text)):
            listed = self._list()
        text = _MENTION.sub(self._mention, text)
        return f"{listed}\n{text}" if listed and text else listed or text

    def _mentions(self, text: str) -> bool:
        return bool(mentioned(text, self.regions))

    def _list(self) -> str:
        if self.regions == 1 and self.style is Style.REGIONGPT:
            return region_token(1)
        numbers = range(1, self.regions + 1)
        self._named.update(numbers)
        return ", ".join(declared(self.style, number) for number in numbers)

    def _mention(self, match: re.Match[str]) -> str:
        number = _number(match)
        if match[1] is not None or not self.regions:  # as the user wants it
            return match[0]
        if number in self._named:
            return named(self.style, number)
        if self.style is Style.REGIONGPT:
            return region_token(number)
        self._named.add(number)
        return declared(self.style, number)


def _number(match: re.Match[str]) -> int:
    """Return the number of a mention; 0, which no region has, where it is endless."""
    digits = match[1] or match[2]
    return int(digits) if len(digits) <= _MOST_DIGITS else 0


def _check(text: str, regions: int) -> None:
    """Raise `InputError` for a message of the user that names what there is not."""
    if IMAGE_TOKEN in text:
        raise InputError(f"{IMAGE_TOKEN} in a question: leave it out, the picture is known")
    for match in _MENTION.finditer(text):
        if (regions or match[1] is not None) and not 1 <= _number(match) <= regions:
            known = {0: "there are no regions", 1: "there is one region"}
            there_are = known.get(regions, f"there are {regions} regions")
            raise InputError(f"{match[0][:30]!r} in a question, and {there_are}")
