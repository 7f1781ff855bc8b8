"""The journals of a run: files to which every answer and every score is appended at once.

A journal has one JSON object per line, for example (each on one line):

    {"type": "answer", "id": "v3det/train/7/region/71/0", "picture": "9f86d081884c7d65",
     "answer": {"text": "A red mug.", "finish": "stop", "prompt_tokens": 310,
     "completion_tokens": 5}}
    {"type": "failure", "id": "v3det/train/7/region/72/0", "picture": "9f86d081884c7d65",
     "detail": "status 400: too long"}
    {"type": "failure", "id": "v3det/train/7/region/73/0", "picture": "9f86d081884c7d65",
     "detail": "status 400: filtered", "reason": "caption_filtered"}
    {"type": "score", "caption": "60303ae22b998861", "id": "7/71",
     "score": {"mean": 0.31, "minimum": 0.27}}

A repetition of a run that was killed takes all answers about unchanged pictures from the
journals. Captions follow deterministically from answers, so nothing else is stored. An incomplete
last line is cut off; other unreadable lines are moved to a second file, and their requests are
sent again.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.clip.scorer import Score
from pipelines.storage import files
from schemas.console import notice
from schemas.errors import BuildError
from schemas.json_decoding import decode
from schemas.rejection import Reason

_FORMAT = 2  # version of the lines' format


class RegionKey(NamedTuple):
    """The key of a region among all regions of a split: image id and region id."""

    image_id: str
    region_id: str


class Failure(NamedTuple):
    """Why a server refused a request."""

    reason: Reason
    detail: str


class _Answered(msgspec.Struct, frozen=True, tag="answer"):
    id: str  # of the request
    picture: str  # digest of the picture's bytes
    answer: Answer


class _Failed(msgspec.Struct, frozen=True, tag="failure", omit_defaults=True):
    id: str  # of the request
    picture: str  # digest of the picture's bytes
    detail: str
    reason: Reason = Reason.CAPTION_FAILED


class _Scored(msgspec.Struct, frozen=True, tag="score"):
    caption: str  # digest of scorer, picture and caption
    id: str  # image id and region id of the region, with a slash between
    score: Score


_Line = _Answered | _Failed | _Scored


class ParsedLines(NamedTuple):
    """The lines of a journal's file."""

    kept: list[bytes]
    damaged: list[bytes]  # which cannot be read
    rest: bytes  # an incomplete last line


class Journal:
    """The answers and scores about some images, and the file to which new ones are appended.

    The file must be local, since lines are appended to it. It has one writer, since shards are
    captioned one after the other. `SegmentedJournal` is for outputs that have several.
    """

    def __init__(self, path: str, *earlier: str) -> None:
        """Make a journal that is not open yet.

        Args:
            path: the file to read, and to which lines are appended.
            earlier: files of an earlier program, to read only.
        """
        self.path = path
        self.earlier = earlier
        # Keys: request id, and digest of the picture.
        self.answers: dict[tuple[str, str], Answer] = {}
        self.failures: dict[tuple[str, str], Failure] = {}  # refusals, by the same keys
        # Keys: region as "image id/region id", and digest of scorer, picture and caption.
        self.scores: dict[tuple[str, str], Score] = {}

    def __enter__(self) -> Self:
        """Read the lines of the file, if it exists, and open it for appending.

        Raises:
            BuildError: the file is in a store, where nothing can be appended.
        """
        if not files.is_local(self.path):
            raise BuildError(f"{self.path}: lines are appended to this file, so it must be local")
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        for path in (self.path, *self.earlier):
            if os.path.exists(path):
                self._read(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, which is kept for `--refilter`."""
        os.close(self._file)

    def add_answer(self, request_id: str, picture: str, answer: Answer) -> None:
        """Append an answer to the file."""
        self.answers[request_id, picture] = answer
        self._write(_Answered(request_id, picture, answer))

    def add_failure(self, request_id: str, picture: str, failure: Failure) -> None:
        """Append the refusal of a request to the file, unless it holds the same refusal already."""
        if self.failures.get((request_id, picture)) != failure:
            self.failures[request_id, picture] = failure
            self._write(_Failed(request_id, picture, failure.detail, failure.reason))

    def add_score(self, region: RegionKey, caption: str, score: Score) -> None:
        """Append a score to the file; `caption` is the digest of scorer, picture and caption."""
        text = _text_of(region)
        self.scores[text, caption] = score
        self._write(_Scored(caption, text, score))

    def score(self, region: RegionKey, caption: str) -> Score | None:
        """Return a score or None; `caption` is the digest of scorer, picture and caption."""
        return self.scores.get((_text_of(region), caption))

    def _read(self, path: str) -> None:
        with open(path, "rb") as file:
            content = file.read()
        parsed = self.read_lines(content)
        if parsed.damaged:
            set_aside(path, parsed.damaged)
            files.write_whole(path, b"".join(parsed.kept))
        elif parsed.rest:
            os.truncate(path, len(content) - len(parsed.rest))

    def read_lines(self, content: bytes) -> ParsedLines:
        """Take the answers and scores of a journal's file, and return the lines by their fate."""
        *lines, rest = content.split(b"\n")
        kept: list[bytes] = []
        damaged: list[bytes] = []
        for line in lines:
            (kept if self._read_line(line) else damaged).append(line + b"\n")
        return ParsedLines(kept, damaged, rest)

    def content(self) -> bytes:
        """Return the content of a file with all that this journal holds."""
        lines: list[_Line] = [_Answered(*key, answer) for key, answer in self.answers.items()]
        for key, failure in self.failures.items():
            lines.append(_Failed(*key, failure.detail, failure.reason))
        for (region, caption), score in self.scores.items():
            lines.append(_Scored(caption, region, score))
        return b"".join(map(_encoded, lines))

    def _read_line(self, text: bytes) -> bool:
        """Parse a line and return whether it was readable; ignore a repeated answer or score."""
        try:
            line = decode(_DECODER, text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        match line:
            case _Answered():
                self.answers.setdefault((line.id, line.picture), line.answer)
            case _Failed():
                self.failures[line.id, line.picture] = Failure(line.reason, line.detail)
            case _Scored():
                self.scores.setdefault((line.id, line.caption), line.score)
        return True

    def _write(self, line: _Line) -> None:
        self.append(_encoded(line))

    def append(self, line: bytes) -> None:
        """Append a line to the file, in one call, so that it outlives this process as a whole."""
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]


@dataclass(frozen=True, slots=True)
class ImageJournal:
    """The entries of a journal about one picture, identified by a digest of the picture's bytes."""

    journal: Journal
    picture: str  # digest of the picture's bytes

    def answer(self, request_id: str) -> Answer | None:
        """Return the answer to a request, or None if it was never answered."""
        return self.journal.answers.get((request_id, self.picture))

    def knows(self, request_id: str) -> bool:
        """Return whether a request was answered or refused."""
        return self.answer(request_id) is not None or self.failure(request_id) is not None

    def failure(self, request_id: str) -> Failure | None:
        """Return why a request was refused, or None if it never was."""
        return self.journal.failures.get((request_id, self.picture))

    def add_answer(self, request_id: str, answer: Answer) -> None:
        """Append the answer to a request to the journal."""
        self.journal.add_answer(request_id, self.picture, answer)

    def add_failure(self, request_id: str, failure: Failure) -> None:
        """Append the refusal of a request to the journal."""
        self.journal.add_failure(request_id, self.picture, failure)

    def score(self, scorer: str, region: RegionKey, caption: str) -> Score | None:
        """Return the score of a caption or None; `scorer` is the identity of the scorer."""
        return self.journal.score(region, self._digest(scorer, caption))

    def add_score(self, scorer: str, region: RegionKey, caption: str, score: Score) -> None:
        """Append the score of a caption by a scorer to the journal."""
        self.journal.add_score(region, self._digest(scorer, caption), score)

    def _digest(self, scorer: str, caption: str) -> str:
        return sha256(f"{scorer}\n{self.picture}\n{caption}".encode()).hexdigest()[:16]


def fingerprint_of(identity: dict[str, Any]) -> str:
    """Return the digest of the settings that decide captions, and of the journals' format."""
    return sha256(msgspec.json.encode([_FORMAT, identity], order="deterministic")).hexdigest()


def set_aside(path: str, damaged: Iterable[bytes]) -> None:
    """Add lines of a journal that cannot be read to a second file, and say so."""
    aside, lines = f"{path}.damaged", list(damaged)
    before = files.read(aside) if files.exists(aside) else b""
    files.write_whole(aside, before + b"".join(lines))
    notice(
        f"{path}: lines that cannot be read: {len(lines)}. They are now in {aside}, "
        "and what they held is asked again"
    )


def _encoded(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _text_of(region: RegionKey) -> str:
    return f"{region.image_id}/{region.region_id}"


_DECODER = msgspec.json.Decoder(_Line)
