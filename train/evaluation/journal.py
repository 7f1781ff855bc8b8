r"""The journal of an evaluation: each reply is written down as it comes, so that a run goes on.

OUTPUT/replies.jsonl has the run first, and then a reply a line:

    {"run": {"config": "eval_pope", "manifest": "3b5d...", "batch": 16, ...}}
    {"id": "pope/random/7/image_conversation/0", "turn": 0, "text": "Yes", "score": 0.93,
     "choice_loglik": null, "reason": ""}

A line that a crash has cut is left out. A turn that is there twice was answered again with others
of its batch; the last one counts, and is the same.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from schemas import json_decoding
from schemas.errors import InputFileError, RegionForgeError, UsageError
from schemas.json_decoding import decode
from train.evaluation.questions import Turn
from train.evaluation.reply import Reply

JOURNAL = "replies.jsonl"
_SYNC_SECONDS = 2.0  # between the moments at which all is surely on the disk


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str  # of the record
    turn: int
    text: str | None
    score: float | None
    choice_loglik: tuple[float, ...] | None
    reason: str


class Journal:
    """The replies of a run so far."""

    def __init__(self, output: Path, run: Mapping[str, Any]) -> None:
        """Open the journal of an output, or begin it.

        Args:
            output: the folder; made if it is not there.
            run: all that decides the replies, as JSON holds it.

        Raises:
            UsageError: it is of another run, or another process writes in it.
            InputFileError: a line cannot be read.
        """
        self.replies: dict[Turn, Reply] = {}
        self._path = output / JOURNAL
        self._synced = time.monotonic()
        try:
            output.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b")
        except OSError as error:
            raise RegionForgeError(f"{self._path}: cannot be written: {error.strerror}") from None
        try:
            self._lock()
            self._read(json.loads(json.dumps(run)))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is still in memory, and close the file."""
        self._write(b"", sync=True)
        self._file.close()

    def add(self, replies: Iterable[tuple[Turn, Reply]]) -> None:
        """Write replies down."""
        lines = []
        for (record, turn), reply in replies:
            self.replies[record, turn] = reply
            lines.append(msgspec.json.encode(_Line(id=record, turn=turn, **_fields(reply))))
        sync = time.monotonic() - self._synced >= _SYNC_SECONDS
        self._write(b"".join(line + b"\n" for line in lines), sync=sync)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{self._path}: another process writes there") from None

    def _read(self, run: Mapping[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines()
        if not lines:
            self._file.truncate(0)
            self._write(json.dumps({"run": run}, ensure_ascii=False).encode() + b"\n", sync=True)
            return
        self._check_run(lines[0], run)
        self._file.truncate(whole)
        decoder = msgspec.json.Decoder(_Line)
        for number, line in enumerate(lines[1:], start=2):
            try:
                entry = decode(decoder, line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputFileError(
                    f"{self._path}: line {number}: no reply: {error}: remove the line to go on"
                ) from None
            self.replies[entry.id, entry.turn] = Reply(**_fields(entry))

    def _check_run(self, line: bytes, wanted: Mapping[str, Any]) -> None:
        """Raise UsageError where a journal's first line is of another run."""
        try:
            stated = dict(json_decoding.load(line)["run"])
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{self._path} is no journal: name another --output") from None
        for key in [*wanted, *(stated.keys() - wanted.keys())]:
            if stated.get(key) != wanted.get(key):
                raise UsageError(
                    f"{self._path.parent} holds an evaluation with {key} {stated.get(key)!r}, not "
                    f"{wanted.get(key)!r}: name another --output, or give the same settings to go "
                    "on"
                )

    def _write(self, content: bytes, *, sync: bool) -> None:
        try:
            self._file.write(content)
            self._file.flush()
            if sync:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise RegionForgeError(f"{self._path}: cannot be written: {error.strerror}") from None


def _fields(reply: Reply | _Line) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in Reply.__struct_fields__}
