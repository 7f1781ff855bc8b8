"""Judged answers: what a judge replied to questions about a model's answers, and the judging run.

A judged file holds a line of JSON in UTF-8 for the run, then one for each question (each on one
line):

    {"bench": "dlc", "judge": "meta-llama/Llama-3.1-8B-Instruct", "revision": "0e9e39f",
     "temperature": 0.0, "max_tokens": 300, "pictures": false, "prompts": ["judge/choice/0"],
     "questions": "3b5d...", "predictions": "60303a..."}
    {"item": "901", "question": 0, "kind": "recognition", "outcome": "read", "reply": "A. Yes",
     "chosen": 0, "points": 1.0, "words": 8}

Numbers of different judges differ on the same answers, so runs whose `differences` are not empty
never stand in one column.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.json_lines import encode_line, read_file, write_file

Bench = Literal["dlc", "gar"]
Kind = Literal["recognition", "positive", "negative", "simple", "detailed"]
# read: an option was read in the reply. unparsed: none was. refused: the judge's server refused the
# question for good. missing: there was no answer to judge, so nothing was asked.
Outcome = Literal["read", "unparsed", "refused", "missing"]

KINDS: dict[Bench, tuple[Kind, ...]] = {
    "dlc": ("recognition", "positive", "negative"),
    "gar": ("simple", "detailed"),
}

_Index = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class JudgedRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The run that judged: the first line of a judged file."""

    bench: Bench
    judge: str  # the server's name for the model
    revision: str  # of the model, as the user states it; empty: not stated
    temperature: float | None  # None: not sent
    max_tokens: int  # limit of a reply's length
    pictures: bool  # whether the judge was sent the region's picture
    prompts: tuple[str, ...]  # ids of the prompts, e.g. "judge/choice/0"
    questions: str  # SHA-256 of the files of questions, in hexadecimal digits
    predictions: str  # SHA-256 of the file of answers
    extra_body: dict[str, Any] = {}  # further parameters of requests, e.g. {"top_k": 20}

    def title(self) -> str:
        """Return the judge in the words that head a column.

        >>> JudgedRun("dlc", "m", "0e9", 0.0, 300, False, (), "3b", "60").title()
        'judge m, revision 0e9, temperature 0, text only'
        """
        revision = f"revision {self.revision}" if self.revision else "revision not stated"
        sent = "with pictures" if self.pictures else "text only"
        stated = self.temperature is not None
        temperature = f"temperature {self.temperature:g}" if stated else "its own temperature"
        extra = f", with {json.dumps(self.extra_body)}" if self.extra_body else ""
        return f"judge {self.judge}, {revision}, {temperature}, {sent}{extra}"

    def differences(self, other: "JudgedRun") -> list[str]:
        """Return what differs between two runs that must not; empty: both fit in one column.

        >>> run = JudgedRun("dlc", "m", "0e9", 0.0, 300, False, (), "3b", "60")
        >>> run.differences(msgspec.structs.replace(run, pictures=True, predictions="7a"))
        ['pictures (False, True)']
        """
        fields = [name for name in self.__struct_fields__ if name != "predictions"]
        values = [(name, getattr(self, name), getattr(other, name)) for name in fields]
        return [f"{name} ({ours}, {theirs})" for name, ours, theirs in values if ours != theirs]


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The judge's reply to one question about the answer to one item."""

    item: str  # id of what was described, e.g. "901"
    question: _Index  # the item's question, from 0
    kind: Kind
    outcome: Outcome
    reply: str | None  # None: the judge gave none
    chosen: _Index | None  # the option that was read in it, from 0
    points: Annotated[float, msgspec.Meta(ge=-1, le=1)]  # of the option; 0 where none was read
    words: _Index | None = None  # of the answer that was judged

    def problem(self) -> str:
        """Return what is wrong with the fields' combination; empty: nothing."""
        if (self.outcome == "read") != (self.chosen is not None):
            return f"outcome {self.outcome!r} with the option {self.chosen}"
        if (self.outcome in ("read", "unparsed")) != (self.reply is not None):
            return f"outcome {self.outcome!r} with the reply {self.reply!r}"
        if not math.isfinite(self.points) or (self.points and self.chosen is None):
            return f"outcome {self.outcome!r} with {self.points:g} points"
        return ""


class Judged(msgspec.Struct, frozen=True):
    """A judged file."""

    run: JudgedRun
    verdicts: tuple[Verdict, ...]


_RUN = msgspec.json.Decoder(JudgedRun)
_VERDICT = msgspec.json.Decoder(Verdict)


def read_judged(path: str | Path) -> Judged:
    """Return the content of a judged file.

    >>> read_judged("runs/a/judged-dlc.jsonl").run.judge  # doctest: +SKIP
    'meta-llama/Llama-3.1-8B-Instruct'

    Raises:
        InputFileError: the file cannot be read, a line is not what it must be, or two lines answer
            the same question; the message names file and line.
    """
    lines = read_file(path).splitlines()
    if not lines:
        raise InputFileError(f"{path}: empty, expected the judging run in its first line")
    try:
        run = decode(_RUN, lines[0])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: line 1: not a judging run: {error}") from None
    return Judged(run, tuple(_verdicts(path, run, lines[1:])))


def _verdicts(path: str | Path, run: JudgedRun, lines: Sequence[bytes]) -> Iterable[Verdict]:
    seen: dict[tuple[str, int], int] = {}
    for number, line in enumerate(lines, start=2):
        where = f"{path}: line {number}"
        try:
            verdict = decode(_VERDICT, line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputFileError(f"{where}: not a verdict: {error}") from None
        if problem := verdict.problem() or _foreign(verdict, run):
            raise InputFileError(f"{where}: not a verdict: {problem}")
        if (first := seen.setdefault((verdict.item, verdict.question), number)) != number:
            raise InputFileError(
                f"{where}: question {verdict.question} about {verdict.item!r} again, as line "
                f"{first}"
            )
        yield verdict


def _foreign(verdict: Verdict, run: JudgedRun) -> str:
    expected = KINDS[run.bench]
    if verdict.kind in expected:
        return ""
    return f"kind {verdict.kind!r} in a file of {run.bench}, expected one of {', '.join(expected)}"


def write_judged(path: str | Path, judged: Judged) -> None:
    """Write a judged file; it appears under its name only when it is complete.

    >>> write_judged("runs/a/judged-dlc.jsonl", judged)  # doctest: +SKIP
    """
    write_file(path, map(encode_line, (judged.run, *judged.verdicts)))
