"""Many questions put to a model, several at once, and the file of its answers.

    OUTPUT/replies.jsonl     the journal: the same command again goes on where it was stopped
    OUTPUT/answers.jsonl     written at the end, in the order of the questions

A line of `answers.jsonl`; of a build, without the three that name the picture and the annotation:

    {"id": "7/1", "turn": 0, "image": "a/7.jpg", "image_id": 7, "annotation_id": 1,
     "question": "What is region1?", "answer": "a red star", "score": 0.93, "reason": null}

`score` is the mean probability of the answer's tokens. Where a question cannot be put, `answer` is
null, and `reason` says why.
"""

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError
from schemas.json_lines import encode_line, write_file
from train.evaluation.asking import Asking
from train.evaluation.batches import Reader
from train.evaluation.journal import JOURNAL, Journal
from train.evaluation.respond import respond
from train.serve.asked import Asked

ANSWERS = "answers.jsonl"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The outcome of a run.

    path: the file of answers.
    answered: the number of questions with an answer.
    reasons: why there is none, by the id of a record, where there is none.
    """

    path: Path
    answered: int
    reasons: dict[str, str]


def answer_all(asking: Asking, asked: Asked, output: Path) -> Answered:
    """Put all questions to a model, and write the answers.

    Raises:
        UsageError: the folder holds another run.
        RegionForgeError: a record is damaged, or the model cannot be opened.
    """
    path = output / ANSWERS
    if path.exists() and not (output / JOURNAL).is_file():
        raise UsageError(f"{path} is there already: name another --output")
    reader = Reader(
        rows=asked.rows,
        processor=asking.processor(),
        region_as=asking.region_as,
        image_root=asked.image_root,
    )
    run = {"command": "answer", **asked.identity, **asking.as_json()}
    with Journal(output, run) as journal:
        replies = respond(asking, reader, asked.questions, journal)
    lines, reasons = [], dict[str, str]()
    for question, facts in zip(asked.questions, asked.facts, strict=True):
        record, turn = question.key
        reply = replies[question.key]
        if reply.text is None:
            reasons.setdefault(record, reply.reason)
        line = {
            "id": record,
            "turn": turn,
            **facts,
            "answer": reply.text,
            "score": reply.score,
            "reason": reply.reason or None,
        }
        lines.append(encode_line(line))
    write_file(path, lines)
    answered = sum(replies[question.key].text is not None for question in asked.questions)
    return Answered(path=path, answered=answered, reasons=reasons)
