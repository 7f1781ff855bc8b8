"""What is asked in bulk: every turn of a build, or one question about each region of a file.

Each turn of a build follows the model's own answers to the turns before it, as in a talk.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.serve.composition import compose
from schemas.json_lines import read_file
from schemas.style import Style
from train.data.build import Build
from train.data.rows import ShardRows
from train.evaluation.answers import Answer
from train.evaluation.batches import Records
from train.evaluation.questions import Question
from train.serve.coco_rows import read_coco


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions of a run.

    rows: the records that they are about.
    questions: in the order of the records.
    facts: what the line of an answer says beside the answer, by question.
    image_root: the folder of pictures; None: they are in the records.
    identity: all that decides the questions, as JSON holds it.
    """

    rows: Records
    questions: Sequence[Question]
    facts: Sequence[Mapping[str, Any]]
    image_root: Path | None
    identity: Mapping[str, Any]


def asked_of_shards(
    build: Build, rows: ShardRows, splits: Sequence[str], image_root: Path | None
) -> Asked:
    """Return the questions of all turns of a build's records.

    Raises:
        InputFileError: a record is damaged.
    """
    questions, facts = list[Question](), list[Mapping[str, Any]]()
    for number, row in enumerate(rows.columns(("id", "messages"))):
        for question, text in _turns(row["id"], number, row["messages"]):
            questions.append(question)
            facts.append({"question": text})
    return Asked(
        rows=rows,
        questions=questions,
        facts=facts,
        image_root=image_root,
        identity={"manifest": build.digest, "splits": list(splits)},
    )


def asked_of_regions(path: Path, folder: Path, request: str, style: Style) -> Asked:
    """Return one question about each region of a file in COCO's format.

    Args:
        path: the file.
        folder: of the pictures.
        request: the question, see `model.serve.composition`.
        style: the model's.

    Raises:
        InputFileError: the file cannot be read.
        InputError: the request is empty, or names another region than `region1`.
    """
    if not request.strip():
        raise InputError("an empty question")
    messages = compose(style, [{"role": "user", "content": request}], 1).messages
    rows = read_coco(path, messages)
    questions = [
        question
        for number in range(len(rows))
        for question, _ in _turns(rows.id_of(number), number, messages)
    ]
    return Asked(
        rows=rows,
        questions=questions,
        facts=[
            {
                "image": rows.images[region.image_id].file_name,
                "image_id": region.image_id,
                "annotation_id": region.id,
                "question": request,
            }
            for region in rows.regions
        ],
        image_root=folder,
        identity={
            "regions_sha256": hashlib.sha256(read_file(path)).hexdigest(),
            "images": str(folder.resolve()),
            "messages": messages,
        },
    )


def _turns(
    record: str, number: int, messages: Sequence[Mapping[str, str]]
) -> Iterator[tuple[Question, str]]:
    """Yield the question of each turn, and the words of its user."""
    requests = [message["content"] for message in messages if message["role"] == "user"]
    characters = sum(len(message["content"]) for message in messages)
    for turn, request in enumerate(requests):
        entry = Answer(
            record=record,
            number=number,
            source="",
            split="",
            turn=turn,
            position=0,
            item_id="",
            group="",
            references=(),
            choices=(),
            label=None,
            regions=(),
            text=None,
        )
        question = Question(
            number=number,
            turn=turn,
            earlier=tuple(range(turn)),
            characters=characters,
            entries=(entry,),
        )
        yield question, request
