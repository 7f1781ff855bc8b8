"""Predictions: a model's answers to an evaluation build, and the run that made them.

`predictions.jsonl` holds one line of JSON in UTF-8 for each entry of `evaluation` in the build's
records, in any order:

    {"id": "pope/val/3", "turn": 0, "position": 0, "answer": "Yes", "score": 0.93,
     "choice_loglik": [-0.07, -2.6]}

`run.json` beside it tells what was evaluated and how. A metric is a function of shards and
predictions alone, so anyone's predictions can be scored.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec

from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.json_lines import encode_line, read_file, write_file

PREDICTIONS = "predictions.jsonl"
RUN = "run.json"

Key = tuple[str, int, int]  # id of the record, turn, position

_SHOWN = 5  # missing entries that a message names
_Index = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one entry of `evaluation`."""

    id: str  # of the record
    turn: _Index  # of the assistant, from 0
    position: _Index  # the part of an answer for several regions, from 0
    answer: str
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = (
        None  # mean probability of its tokens
    )
    choice_loglik: tuple[float, ...] | None = None  # mean log-likelihood per token, by choice

    @property
    def key(self) -> Key:
        """The entry that is answered."""
        return self.id, self.turn, self.position


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The run that made predictions: `run.json`."""

    config: str  # of the build, e.g. "eval_coco"
    manifest: str  # SHA-256 of the build's `manifest.json`, in hexadecimal digits
    checkpoint: str  # as it was given
    generation: dict[str, Any]  # settings, e.g. {"max_new_tokens": 64}
    regions: Literal["box", "mask"]  # the form in which the model was given regions


class Entry(Protocol):
    """What is asked in one entry of `evaluation`: `schemas.sample.Evaluation` fits."""

    @property
    def turn(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def choices(self) -> Sequence[str]: ...


class Matched(msgspec.Struct, frozen=True):
    """The predictions in the order of the entries, and the entries without one."""

    predictions: tuple[Prediction | None, ...]  # one for each entry; None: missing, counts as wrong
    missing: tuple[Key, ...]

    def summary(self) -> str:
        """Return how many entries have no prediction, with the first of them; empty: none.

        >>> Matched((None, None), (("coco/val/1", 0, 0), ("coco/val/1", 0, 1))).summary()
        "2 of 2 entries have no prediction: 'coco/val/1' turn 0 position 0, 'coco/val/1' turn 0 \
position 1"
        """
        if not self.missing:
            return ""
        shown = [_name(key) for key in self.missing[:_SHOWN]]
        shown += ["..."] if len(self.missing) > _SHOWN else []
        counts = f"{len(self.missing)} of {len(self.predictions)} entries"
        return f"{counts} have no prediction: {', '.join(shown)}"


_PREDICTION = msgspec.json.Decoder(Prediction)
_RUN = msgspec.json.Decoder(Run)


def read_predictions(path: str | Path) -> list[Prediction]:
    """Return the predictions of a file, in its order.

    >>> read_predictions("runs/a/predictions.jsonl")  # doctest: +SKIP
    [Prediction(id='pope/val/3', turn=0, position=0, answer='Yes', score=0.93, ...)]

    Raises:
        InputFileError: the file cannot be read, a line is no prediction, or two lines answer the
            same entry; the message names file and line.
    """
    lines: dict[Key, int] = {}
    predictions = []
    for number, line in enumerate(read_file(path).splitlines(), start=1):
        where = f"{path}: line {number}"
        try:
            prediction = decode(_PREDICTION, line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputFileError(f"{where}: not a prediction: {error}") from None
        if (first := lines.setdefault(prediction.key, number)) != number:
            raise InputFileError(f"{where}: answers {_name(prediction.key)} again, as line {first}")
        predictions.append(prediction)
    return predictions


def write_predictions(path: str | Path, predictions: Iterable[Prediction]) -> None:
    """Write the file of predictions; it appears under its name only when it is complete.

    >>> answers = [Prediction(id="pope/val/3", turn=0, position=0, answer="Yes")]
    >>> write_predictions("runs/a/predictions.jsonl", answers)  # doctest: +SKIP

    Raises:
        ValueError: a number is not finite, a text is not Unicode, or an entry is answered twice.
    """
    keys: set[Key] = set()

    def lines() -> Iterable[bytes]:
        for prediction in predictions:
            if prediction.key in keys:
                raise ValueError(f"{_name(prediction.key)} is answered twice")
            keys.add(prediction.key)
            yield to_line(prediction)

    write_file(path, lines())


def to_line(prediction: Prediction) -> bytes:
    r"""Return the line of a prediction, with the line feed that ends it.

    >>> to_line(Prediction(id="a", turn=0, position=0, answer="two\nlines"))
    b'{"id":"a","turn":0,"position":0,"answer":"two\\nlines","score":null,"choice_loglik":null}\n'

    Raises:
        ValueError: a number is not finite, or a text is not Unicode.
    """
    numbers = [prediction.score or 0.0, *(prediction.choice_loglik or ())]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{_name(prediction.key)}: expected finite numbers, found {numbers}")
    return encode_line(prediction)


def read_run(path: str | Path) -> Run:
    """Return the run that a `run.json` tells of.

    >>> read_run("runs/a/run.json").regions  # doctest: +SKIP
    'box'

    Raises:
        InputFileError: the file cannot be read, or is no `run.json` of predictions.
    """
    try:
        return decode(_RUN, read_file(path))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: not the run of predictions: {error}") from None


def write_run(path: str | Path, run: Run) -> None:
    """Write `run.json`; it appears under its name only when it is complete.

    >>> run = Run("eval_pope", "3b5d...", "runs/a", {"max_new_tokens": 8}, "box")
    >>> write_run("runs/a/run.json", run)  # doctest: +SKIP
    """
    write_file(path, [msgspec.json.format(msgspec.json.encode(run)), b"\n"])


def match_predictions(
    entries: Iterable[tuple[str, Entry]], predictions: Iterable[Prediction]
) -> Matched:
    """Return the predictions in the order of the entries that they answer.

    >>> match_predictions([], [])
    Matched(predictions=(), missing=())

    Args:
        entries: the id of the record and an entry of its `evaluation`, for all records.
        predictions: at most one for each entry, in any order.

    Raises:
        InputFileError: an entry is asked or answered twice, a prediction answers no entry, or its
            `choice_loglik` has another length than the entry's choices.
    """
    answers: dict[Key, Prediction] = {}
    for prediction in predictions:
        if prediction.key in answers:
            raise InputFileError(f"{_name(prediction.key)} is answered twice, expected once")
        answers[prediction.key] = prediction
    asked: dict[Key, Prediction | None] = {}
    for record_id, entry in entries:
        key = record_id, entry.turn, entry.position
        if key in asked:
            raise InputFileError(f"the build asks for {_name(key)} twice, expected once")
        asked[key] = answer = answers.get(key)
        if answer is not None:
            _check_choices(answer, entry)
    _check_known(answers, asked)
    missing = tuple(key for key, answer in asked.items() if answer is None)
    return Matched(tuple(asked.values()), missing)


def _check_choices(prediction: Prediction, entry: Entry) -> None:
    values = prediction.choice_loglik
    if values is not None and len(values) != len(entry.choices):
        raise InputFileError(
            f"{_name(prediction.key)}: choice_loglik has {len(values)} numbers, expected one for "
            f"each of {len(entry.choices)} choices"
        )


def _check_known(answers: Mapping[Key, object], asked: Mapping[Key, object]) -> None:
    unknown = [key for key in answers if key not in asked]
    if unknown:
        raise InputFileError(
            f"{len(unknown)} of {len(answers)} predictions answer no entry of this build, first "
            f"{_name(unknown[0])}: score them against the build that they were made from"
        )


def _name(key: Key) -> str:
    record_id, turn, position = key
    return f"{record_id!r} turn {turn} position {position}"
