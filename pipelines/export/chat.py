"""What the formats of chats have in common: messages with boxes in their text, and their files."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pipelines.export import losses
from pipelines.export.boxes import Numbers, words
from pipelines.export.losses import Record
from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.geometry import Box

BoxForm = Callable[[Box, int, int], Numbers]  # box, width and height of the picture
Turn = tuple[str, str]  # role and text
Entry = Mapping[str, Any]  # a conversation, as its format has it

LOST = frozenset(
    {
        losses.MASKS,
        losses.AREAS,
        losses.CATEGORIES,
        losses.SCORES,
        losses.CAPTIONS,
        losses.ATTRIBUTES,
        losses.UNNAMED,
        losses.EVALUATION,
        losses.PROVENANCE,
    }
)
SHARE_GPT = {"user": "human", "assistant": "gpt"}  # the names of roles

_REGION = re.compile(r"<region(\d+)>")
# Placeholders of trainers that are none of ours, and so may stand in a text that was disarmed.
_FOREIGN = re.compile(r"<(video|audio|ref-object)>")


class JsonForm(NamedTuple):
    """The form of a file of conversations."""

    suffix: str
    begin: bytes
    between: bytes
    after: bytes  # each conversation
    end: bytes


LIST = JsonForm(".json", b"[\n", b",\n", b"", b"\n]\n")
LINES = JsonForm(".jsonl", b"", b"", b"\n", b"")


def write_file(target: Target, name: str, form: JsonForm, entries: Iterable[Entry]) -> None:
    """Write conversations into a file, one after another."""
    with target.open(name) as file:
        file.write(form.begin)
        for number, entry in enumerate(entries):
            between = form.between if number else b""
            file.write(between + msgspec.json.encode(entry) + form.after)
        file.write(form.end)


def turns_with_boxes(record: Record, form: BoxForm, lost: Counter[str]) -> list[Turn]:
    """Return a record's turns with boxes as text; count boxes that rounding has made useless."""
    size = record["width"], record["height"]
    boxes = [form(tuple(region["bbox"]), *size) for region in record["regions"]]
    texts = [words(box) for box in boxes]
    lost[losses.THIN] += sum(1 for x0, y0, x1, y1 in boxes if x0 >= x1 or y0 >= y1)
    lost[losses.ALIKE] += _alike(record["regions"], texts)
    return turns(record, lambda number: texts[number - 1], lost)


def turns(record: Record, region: Callable[[int], str], lost: Counter[str]) -> list[Turn]:
    """Return a record's turns, with what stands for a region in place of each `<regionK>`.

    Args:
        record: a row of a shard.
        region: returns the text that stands for a region, from its number; called in the order of
            the text.
        lost: takes the count of foreign placeholders that were disarmed.
    """
    shown = []
    for message in record["messages"]:
        text, disarmed = _FOREIGN.subn(r"(\1)", message["content"])
        lost[losses.DISARMED] += disarmed
        shown.append((message["role"], _REGION.sub(lambda match: region(int(match[1])), text)))
    return shown


def share_gpt(turns: Sequence[Turn], lost: Counter[str]) -> list[dict[str, str]]:
    """Return turns under ShareGPT's keys; system messages, which have no role there, are lost."""
    lost[losses.SYSTEM] += sum(1 for role, _ in turns if role not in SHARE_GPT)
    return [{"from": SHARE_GPT[role], "value": text} for role, text in turns if role in SHARE_GPT]


def origin(record: Record) -> dict[str, str]:
    """Return the keys that say whose a conversation is; trainers skip keys they do not know."""
    return {"source": record["source"], "licence": record["licence"]}


def share_gpt_entries(part: Part, target: Target, form: BoxForm) -> Iterator[Entry]:
    """Yield the conversations of a part as LLaVA's and Qwen-VL's trainers have them."""
    for record, content in target.pictured(part.records()):
        conversations = share_gpt(turns_with_boxes(record, form, target.lost), target.lost)
        yield {
            "id": record["id"],
            **({"image": target.picture(record, content, part.config)} if content else {}),
            "conversations": conversations,
            **origin(record),
        }


def _alike(regions: Sequence[Record], texts: Sequence[str]) -> int:
    """Return the number of regions whose text is that of a region with another box."""
    distinct = {(text, tuple(region["bbox"])) for region, text in zip(regions, texts, strict=True)}
    return len(distinct) - len(set(texts))
