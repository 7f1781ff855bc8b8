"""The journal: every answer and every score, written down as it comes.

One JSON object per line. A run that was killed is repeated, and finds here all that had been
answered about the pictures as they are; how captions follow from answers is deterministic, so
nothing else need be remembered. A last line that is not whole, since a kill cut it short, is cut
off; other lines that cannot be read are set aside, and what they held is asked again.

Images go to journals by their hash, whatever number of shards they are in. That number follows
from the size of all pictures, so that a few that arrive late may change it.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from pipelines.recap.clip.scorer import Score, Scorer
from pipelines.shards.options import shard_key
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.ids import RANK_BITS
from schemas.layout import JOURNAL_FOLDER
from schemas.rejection import Reason, Rejected
from schemas.sample import ImageInfo

FORMAT = 2  # of the lines
# Journals of a split. A shard has those of its images open at once, and in memory.
JOURNALS = 64


class _Answered(msgspec.Struct, frozen=True, tag="answer"):
    id: str  # of the request
    picture: str  # a digest
    answer: Answer


class _Failed(msgspec.Struct, frozen=True, tag="failure"):
    id: str  # of the request
    picture: str  # a digest
    detail: str


class _Scored(msgspec.Struct, frozen=True, tag="score"):
    caption: str  # a digest of scorer, picture and caption
    id: str  # of the region
    score: Score


_Line = _Answered | _Failed | _Scored


class Journal:
    """What is known of some images, and a file that takes more; local, for it grows line by line.

    It has one writer: shards are captioned one after the other.
    """

    def __init__(self, path: str) -> None:
        if not files.is_local(path):
            raise BuildError(
                f"{path}: captions are written down one by one, which only a local --output "
                "allows; copy the shards from there when they are finished"
            )
        self._path = path
        self.answers: dict[tuple[str, str], Answer] = {}  # by request and picture
        self.failures: dict[tuple[str, str], str] = {}  # likewise: what came instead of an answer
        self.scores: dict[tuple[str, str], Score] = {}  # by region and what was scored

    def __enter__(self) -> Self:
        """Read what is there and open the file for more."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        if os.path.exists(self._path):
            self._read()
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; it stays, for `--refilter`."""
        os.close(self._file)

    def answered(self, request_id: str, picture: str, answer: Answer) -> None:
        """Write an answer down."""
        self.answers[request_id, picture] = answer
        self._write(_Answered(request_id, picture, answer))

    def failed(self, request_id: str, picture: str, detail: str) -> None:
        """Write down that a request got no answer, unless that was said before."""
        if self.failures.get((request_id, picture)) != detail:
            self.failures[request_id, picture] = detail
            self._write(_Failed(request_id, picture, detail))

    def scored(self, region_id: str, caption: str, score: Score) -> None:
        """Write a score down."""
        self.scores[region_id, caption] = score
        self._write(_Scored(caption, region_id, score))

    def _read(self) -> None:
        with open(self._path, "rb") as file:
            content = file.read()
        *lines, rest = content.split(b"\n")
        kept: list[bytes] = []
        damaged: list[bytes] = []
        for line in lines:
            (kept if self._take(line) else damaged).append(line + b"\n")
        if damaged:
            self._set_aside(damaged, kept)
        elif rest:
            os.truncate(self._path, len(content) - len(rest))

    def _take(self, text: bytes) -> bool:
        """Take a line in, if it can be read; of two answers to a request, the first counts."""
        try:
            line = _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        match line:
            case _Answered():
                self.answers.setdefault((line.id, line.picture), line.answer)
            case _Failed():
                self.failures[line.id, line.picture] = line.detail
            case _Scored():
                self.scores.setdefault((line.id, line.caption), line.score)
        return True

    def _set_aside(self, damaged: list[bytes], kept: list[bytes]) -> None:
        aside = f"{self._path}.damaged"
        with open(aside, "ab") as file:
            file.writelines(damaged)
        files.write_whole(self._path, b"".join(kept))
        _say(
            f"{self._path}: lines that cannot be read: {len(damaged)}. They are now in {aside}, "
            "and what they held is asked again"
        )

    def _write(self, line: _Line) -> None:
        # In one call, so that lines never mix; what the system has taken outlives this process.
        view = memoryview(msgspec.json.encode(line) + b"\n")
        while view:
            view = view[os.write(self._file, view) :]


@contextmanager
def open_journals(
    output: str, fingerprint: str, images: Iterable[ImageInfo]
) -> Iterator[dict[str, Journal]]:
    """Open the journals of some images of a split; yields them by image id.

    Args:
        output: that of the run.
        fingerprint: of what decides captions.
        images: of one split.
    """
    paths = {}
    for image in images:
        place = shard_key(image)[1] * JOURNALS >> RANK_BITS
        name = f"{image.split}-{place:02d}-{fingerprint[:16]}.jsonl"
        paths[image.image_id] = files.join(output, JOURNAL_FOLDER, image.source, name)
    with ExitStack() as stack:
        opened = {path: stack.enter_context(Journal(path)) for path in sorted({*paths.values()})}
        yield {image_id: opened[path] for image_id, path in paths.items()}


@dataclass(frozen=True, slots=True)
class Notes:
    """The journal of an image, and which picture of it what is noted must be about."""

    journal: Journal
    picture: str  # a digest


class JournaledCaptioner:
    """A captioner that is asked each request about an image until it is answered, over all runs."""

    def __init__(self, inner: Captioner, notes: Notes, *, again: bool) -> None:
        """Wrap a captioner.

        Args:
            inner: the captioner.
            notes: on the image.
            again: whether requests that an earlier run got no answer to are asked once more.
        """
        self._inner = inner
        self._notes = notes
        self._again = again

    async def ask(self, request_id: str, build: Callable[[], Awaitable[Request]]) -> Answer:
        """Return the answer that was written down, or ask and write it down.

        Args:
            request_id: of the request.
            build: makes the request, which may need a picture; not called where it is not needed.
        """
        journal, picture = self._notes.journal, self._notes.picture
        if (known := journal.answers.get((request_id, picture))) is not None:
            return known
        failure = journal.failures.get((request_id, picture))
        if failure is not None and not self._again:
            raise Rejected(Reason.CAPTION_FAILED, failure)
        request = replace(await build(), again=failure is not None)
        try:
            answer = await self._inner.ask(request)
        except Rejected as cause:
            journal.failed(request_id, picture, cause.detail)
            raise
        journal.answered(request_id, picture, answer)
        return answer


class JournaledScorer:
    """A scorer that is asked about each caption of a picture once, over all runs."""

    def __init__(self, inner: Scorer) -> None:
        self._inner = inner

    def known(self, notes: Notes, region_id: str, caption: str) -> Score | None:
        """Return a score that was written down."""
        return notes.journal.scores.get((region_id, self._digest(notes, caption)))

    def score(
        self,
        notes: Sequence[Notes],
        region_ids: Sequence[str],
        crops: Sequence[Image.Image],
        captions: Sequence[str],
    ) -> list[Score]:
        """Score crops against captions and write the scores down."""
        scores = self._inner.score(crops, captions)
        for where, region_id, caption, score in zip(
            notes, region_ids, captions, scores, strict=True
        ):
            where.journal.scored(region_id, self._digest(where, caption), score)
        return scores

    def _digest(self, notes: Notes, caption: str) -> str:
        text = f"{self._inner.identity}\n{notes.picture}\n{caption}"
        return sha256(text.encode()).hexdigest()[:16]


def fingerprint_of(identity: dict[str, Any]) -> str:
    """Return the digest of what decides captions, and of how they are written down."""
    return sha256(msgspec.json.encode([FORMAT, identity], order="deterministic")).hexdigest()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_DECODER = msgspec.json.Decoder(_Line)
