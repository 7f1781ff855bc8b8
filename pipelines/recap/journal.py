"""The journal: every answer and every score of an unfinished shard, written down as it comes.

One JSON object per line, behind a first line that says what decided them. A run that was killed
is repeated, and finds here all that had been answered; how captions follow from answers is
deterministic, so nothing else need be remembered. A line that is not whole, since a kill cut it
short or the disk lost it, is dropped with all behind it.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

import msgspec
from PIL import Image

from pipelines import files
from pipelines.recap.captioner import Answer, Captioner, Request
from pipelines.recap.scorer import Score, Scorer
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected

FOLDER = "_state/captions"


class _Head(msgspec.Struct, frozen=True, tag="journal"):
    fingerprint: str


class _Answered(msgspec.Struct, frozen=True, tag="answer"):
    id: str  # of the request
    answer: Answer


class _Failed(msgspec.Struct, frozen=True, tag="failure"):
    id: str  # of the request
    detail: str


class _Scored(msgspec.Struct, frozen=True, tag="score"):
    caption: str  # a digest of scorer and caption
    id: str  # of the region
    score: Score


_Line = _Head | _Answered | _Failed | _Scored


class Journal:
    """What is known already, and a file that takes more; local, for it grows line by line."""

    def __init__(self, path: str, fingerprint: str) -> None:
        if not files.is_local(path):
            raise BuildError(
                f"{path}: captions are written down one by one, which only a local --output "
                "allows; copy the shards from there when they are finished"
            )
        self._path = path
        self._head = _Head(fingerprint)
        self.answers: dict[str, Answer | _Failed] = {}
        self.scores: dict[tuple[str, str], Score] = {}
        self._unconfirmed: list[_Failed] = []

    def __enter__(self) -> Self:
        """Read what is there and open the file for more."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file = os.open(self._path, flags, 0o644)
        with open(self._path, "rb") as file:
            content = file.read()
        whole = self._read(content)
        os.ftruncate(self._file, whole)
        if not whole:
            self._write(self._head)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; it stays, for `--refilter`."""
        if error is None:
            self._confirm()
        os.close(self._file)

    def answered(self, request_id: str, answer: Answer) -> None:
        """Write an answer down, and what was refused before it."""
        self._confirm()
        self.answers[request_id] = answer
        self._write(_Answered(request_id, answer))

    def failed(self, request_id: str, detail: str) -> None:
        """Take note that a request was refused for good.

        It is written down with the next answer, or at a good end: where everything is refused,
        the run ends, and what is to be mended is the server.
        """
        failure = _Failed(request_id, detail)
        self.answers[request_id] = failure
        self._unconfirmed.append(failure)

    def scored(self, region_id: str, caption: str, score: Score) -> None:
        """Write a score down."""
        self.scores[region_id, caption] = score
        self._write(_Scored(caption, region_id, score))

    def _confirm(self) -> None:
        for failure in self._unconfirmed:
            self._write(failure)
        self._unconfirmed.clear()

    def _read(self, content: bytes) -> int:
        """Take in what is there; return how many bytes of it are whole, 0 if it is another's."""
        whole = 0
        for text in content.splitlines(keepends=True):
            try:
                line = _DECODER.decode(text)
            except msgspec.DecodeError:
                break
            if not text.endswith(b"\n") or (not whole and line != self._head):
                break
            self._take(line)
            whole += len(text)
        return whole

    def _take(self, line: _Line) -> None:
        match line:
            case _Answered():
                self.answers[line.id] = line.answer
            case _Failed():
                self.answers[line.id] = line
            case _Scored():
                self.scores[line.id, line.caption] = line.score

    def _write(self, line: _Line) -> None:
        # In one call, so that lines never mix; what the system has taken outlives this process.
        view = memoryview(msgspec.json.encode(line) + b"\n")
        while view:
            view = view[os.write(self._file, view) :]


class JournaledCaptioner:
    """A captioner that is asked each request once, over all runs."""

    def __init__(self, inner: Captioner, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    async def ask(self, request_id: str, build: Callable[[], Awaitable[Request]]) -> Answer:
        """Return the answer that was written down, or ask and write it down.

        Args:
            request_id: of the request.
            build: makes the request, which may need a picture; not called where it is not needed.
        """
        known = self._journal.answers.get(request_id)
        if isinstance(known, _Failed):
            raise Rejected(Reason.CAPTION_FAILED, known.detail)
        if known is not None:
            return known
        request = await build()
        try:
            answer = await self._inner.ask(request)
        except Rejected as cause:
            self._journal.failed(request_id, cause.detail)
            raise
        self._journal.answered(request_id, answer)
        return answer


class JournaledScorer:
    """A scorer that is asked about each caption once, over all runs."""

    def __init__(self, inner: Scorer, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    def known(self, region_id: str, caption: str) -> Score | None:
        """Return a score that was written down."""
        return self._journal.scores.get((region_id, self._digest(caption)))

    def score(
        self, region_ids: Sequence[str], crops: Sequence[Image.Image], captions: Sequence[str]
    ) -> list[Score]:
        """Score crops against captions and write the scores down."""
        scores = self._inner.score(crops, captions)
        for region_id, caption, score in zip(region_ids, captions, scores, strict=True):
            self._journal.scored(region_id, self._digest(caption), score)
        return scores

    def _digest(self, caption: str) -> str:
        return sha256(f"{self._inner.identity}\n{caption}".encode()).hexdigest()[:16]


def fingerprint_of(identity: dict[str, Any]) -> str:
    """Return the digest of what decides captions."""
    return sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()


_DECODER = msgspec.json.Decoder(_Line)
