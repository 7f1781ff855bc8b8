"""Questions: the turns of a build's records that are asked about, and their prompts.

A record of several turns is asked turn by turn. A turn that has entries in `evaluation` is the
model's to answer, and later turns follow the model's answer, as they would in use; a turn without
entries stands as the build wrote it. So in VCR the reason is asked for after the right answer, and
in a record that asks about one region after another, each turn follows the model's earlier names.

    turn 0, asked about    "What is in <region1>?"    the model's: "dog"
    turn 1, asked about    "And in <region2>?"        after "dog", right or wrong
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from model.request import stored_picture
from schemas.check_evaluation import evaluation_problems
from schemas.errors import InputFileError
from schemas.ids import Hasher, image_of
from schemas.rejection import Rejected
from schemas.sample import region_token
from schemas.text import clean_turn
from train.data.pictures import picture_bytes
from train.data.rows import Row, ShardRows
from train.evaluation.answers import Answer, AskedRegion

_COLUMNS = ("id", "source", "split", "regions", "messages", "evaluation")
_REGION = re.compile("<region([0-9]+)>")

Turn = tuple[str, int]  # id of the record, number of the assistant's turn


@dataclass(frozen=True, kw_only=True)
class Question:
    """A turn of a record that is asked about, and the entries that its answer is scored by."""

    number: int  # of the record in the build's rows
    turn: int  # of the assistant, from 0
    earlier: tuple[int, ...]  # turns of the record that are asked before this one
    characters: int  # of the messages up to the answer
    entries: tuple[Answer, ...]  # by position; without a text

    @property
    def key(self) -> Turn:
        """The turn that is asked about."""
        return self.entries[0].record, self.turn


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a model is given: messages up to an answer, the picture, and the regions in them."""

    messages: list[dict[str, str]]
    picture: Image.Image | None
    regions: list[dict[str, Any]]  # as in `schemas.shard`
    choices: tuple[str, ...] = ()


def read_questions(rows: ShardRows, pictures: frozenset[str] | None = None) -> list[Question]:
    """Return the questions of all records, or of those about some pictures, in their order.

    Args:
        rows: of an evaluation build; pictures are not read.
        pictures: as `schemas.ids.image_of` names them; None: all.

    Raises:
        InputFileError: a record is damaged, or cannot be scored.
    """
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # most entries have the same choices
    questions = list[Question]()
    for number, row in enumerate(rows.columns(_COLUMNS)):
        if pictures is None or image_of(row["id"]) in pictures:
            for problem in evaluation_problems(row):
                raise InputFileError(f"{row['id']}: {problem}: build again")
            questions += _questions(row, number, shared)
    return questions


def some_pictures(ids: Iterable[str], limit: int, seed: int) -> frozenset[str]:
    """Return `limit` pictures of the records with these ids, chosen by hash."""
    hasher = Hasher("limit", seed)
    pictures = {image_of(name) for name in ids}
    return frozenset(sorted(pictures, key=lambda name: (hasher.rank(name), name))[:limit])


def prompt_of(
    question: Question, row: Row, answers: Mapping[int, str], image_root: Path | None
) -> Prompt:
    """Return the prompt of a question.

    Args:
        question: see `read_questions`.
        row: its whole record.
        answers: the model's to the turns `question.earlier`.
        image_root: see `picture_bytes`.

    Raises:
        InputFileError: the picture's file cannot be read.
        InputError: it is no picture, or has another size than the record states.
    """
    messages = list(_before(row["messages"], question.turn, answers))
    numbers = sorted({int(n) for m in messages for n in _REGION.findall(m["content"])})
    for new, old in enumerate(numbers, start=1):  # in ascending order, so none is renumbered twice
        if new != old:
            _rename(messages, region_token(old), region_token(new))
    return Prompt(
        messages=messages,
        picture=stored_picture({**row, "image": picture_bytes(row, image_root)}),
        regions=[row["regions"][number - 1] for number in numbers],
        choices=question.entries[0].choices,
    )


def _questions(
    row: Row, number: int, shared: dict[tuple[str, ...], tuple[str, ...]]
) -> Iterator[Question]:
    by_turn: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in row["evaluation"]:
        by_turn[entry["turn"]].append(entry)
    regions = tuple(_region(region) for region in row["regions"]) if by_turn else ()
    turns = sorted(by_turn)
    for asked, turn in enumerate(turns):
        entries = sorted(by_turn[turn], key=lambda entry: int(entry["position"]))
        yield Question(
            number=number,
            turn=turn,
            earlier=tuple(turns[:asked]),
            characters=sum(len(m["content"]) for m in _before(row["messages"], turn, {})),
            entries=tuple(
                Answer(
                    record=row["id"],
                    number=number,
                    source=row["source"],
                    split=row["split"],
                    turn=turn,
                    position=entry["position"],
                    item_id=entry["item_id"],
                    group=entry["group"],
                    references=tuple(entry["references"]),
                    choices=shared.setdefault(tuple(entry["choices"]), tuple(entry["choices"])),
                    label=entry["label"],
                    regions=regions,
                    text=None,
                )
                for entry in entries
            ),
        )


def _region(region: Mapping[str, Any]) -> AskedRegion:
    x0, y0, x1, y1 = region["bbox"]
    return AskedRegion(
        region_id=region["region_id"],
        bbox=(x0, y0, x1, y1),
        area=region["area"],
        category=region["category"],
    )


def _before(
    messages: Sequence[Mapping[str, str]], turn: int, answers: Mapping[int, str]
) -> Iterator[dict[str, str]]:
    """Yield the messages before an assistant's turn, with the model's answers among them."""
    current = 0
    for message in messages:
        if message["role"] != "assistant":
            yield dict(message)
            continue
        if current == turn:
            return
        mine = answers.get(current)
        yield {**message, "content": message["content"] if mine is None else _disarmed(mine)}
        current += 1


def _disarmed(answer: str) -> str:
    """Return an answer without what a tokenizer would obey, e.g. `<region1>`."""
    try:
        return clean_turn(answer)
    except Rejected:  # nothing visible
        return ""


def _rename(messages: Sequence[dict[str, str]], old: str, new: str) -> None:
    for message in messages:
        message["content"] = message["content"].replace(old, new)
