"""The journal: what it remembers, and what becomes of lines that a kill cut short."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from pipelines.recap.captioner import Answer, Request, Subject
from pipelines.recap.journal import Journal, JournaledCaptioner, JournaledScorer, fingerprint_of
from pipelines.recap.scorer import Score
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected

FIRST = Answer("A red box.", "stop", 7, 3)
SECOND = Answer("\u00e4\u2028\r\n\x00 \U0001f600", "length")
CROP = Image.new("RGB", (4, 4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "train.jsonl"


@pytest.fixture
def opened(path):
    def open_(fingerprint: str = "f") -> Journal:
        return Journal(str(path), fingerprint)

    return open_


@pytest.fixture
def filled(path: Path, opened) -> list[bytes]:
    """The lines of a journal of everything that there is."""
    with opened() as journal:
        journal.answered("a/0", FIRST)
        journal.failed("b/0", "status 400: no")
        journal.scored("1/11", "digest", Score(0.25, 0.125))
        journal.answered("c/0", SECOND)
    return path.read_bytes().splitlines(keepends=True)


def known(journal: Journal) -> tuple[set[str], int]:
    return set(journal.answers), len(journal.scores)


def test_all_is_remembered(opened, filled) -> None:
    with opened() as journal:
        assert journal.answers["a/0"] == FIRST
        assert journal.answers["c/0"] == SECOND
        assert journal.answers["b/0"].detail == "status 400: no"
        assert journal.scores == {("1/11", "digest"): Score(0.25, 0.125)}


def test_it_is_written_at_once(path, opened) -> None:
    with opened() as journal:
        journal.answered("a/0", FIRST)
        head, line = map(json.loads, path.read_bytes().splitlines())
        assert head == {"type": "journal", "fingerprint": "f"}
        assert (line["type"], line["id"]) == ("answer", "a/0")


def test_a_line_cut_anywhere_is_dropped(path, opened, filled) -> None:
    whole, last = b"".join(filled[:-1]), filled[-1]
    for length in range(len(last)):
        path.write_bytes(whole + last[:length])
        with opened() as journal:
            assert known(journal) == ({"a/0", "b/0"}, 1)
            assert path.read_bytes() == whole, "cut off, so that the next line is none of its own"
            journal.answered("c/0", SECOND)
        assert path.read_bytes() == whole + last


def test_a_first_line_cut_anywhere_is_written_anew(path, opened, filled) -> None:
    for length in range(len(filled[0])):
        path.write_bytes(filled[0][:length])
        with opened() as journal:
            assert known(journal) == (set(), 0)
        assert path.read_bytes() == filled[0]


@pytest.mark.parametrize("lost", [b"\n", bytes(40), b'{"type":"answer"}\n', b"{}\n", b"\xff\n"])
def test_what_the_disk_lost_is_dropped_with_all_behind_it(path, opened, filled, lost) -> None:
    path.write_bytes(b"".join([*filled[:2], lost, *filled[2:]]))
    with opened() as journal:
        assert known(journal) == ({"a/0"}, 0)
    assert path.read_bytes() == b"".join(filled[:2])


@pytest.mark.parametrize("head", [b"", b"\n", bytes(30), b'{"type":"other"}\n'])
def test_what_is_no_journal_is_replaced(path, opened, filled, head) -> None:
    path.write_bytes(head)
    with opened() as journal:
        assert known(journal) == (set(), 0)
    assert path.read_bytes() == filled[0]


def test_another_fingerprint_begins_anew(path, opened, filled) -> None:
    with opened("g") as journal:
        assert known(journal) == (set(), 0)
    assert path.read_bytes() == b'{"type":"journal","fingerprint":"g"}\n'


def test_fingerprints() -> None:
    assert fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})


def test_it_must_be_local(opened) -> None:
    with pytest.raises(BuildError, match="local --output"):
        Journal("gs://bucket/out/_state/captions/train.jsonl", "f")


class Captioner:
    """Answers once, refuses what is called bad, and breaks on what is called broken."""

    model = "none"
    sampling: ClassVar[dict[str, float | int | str]] = {}

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request.id)
        if "bad" in request.id:
            raise Rejected(Reason.CAPTION_FAILED, f"status 400 for {request.id}")
        if "broken" in request.id:
            raise BuildError("gone")
        return FIRST

    async def close(self) -> None: ...


def asked(captioner: JournaledCaptioner, request_id: str, built: list[str]) -> Answer:
    async def build() -> Request:
        built.append(request_id)
        subject = Subject(4, 4, ())
        return Request(
            id=request_id, image_key=0, prompt="", jpeg=b"", max_tokens=1, subject=subject
        )

    return asyncio.run(captioner.ask(request_id, build))


def test_each_request_is_asked_once_over_all_runs(opened) -> None:
    inner = Captioner()
    built: list[str] = []
    for _ in range(3):
        with opened() as journal:
            captioner = JournaledCaptioner(inner, journal)
            for _ in range(2):
                assert asked(captioner, "good/0", built) == FIRST
                with pytest.raises(Rejected, match="status 400 for bad/0") as refused:
                    asked(captioner, "bad/0", built)
                assert refused.value.reason is Reason.CAPTION_FAILED
    assert inner.asked == built == ["good/0", "bad/0"]


def test_refusals_count_once_something_else_is_answered(path, opened) -> None:
    inner = Captioner()

    def run() -> None:
        with opened() as journal:
            captioner = JournaledCaptioner(inner, journal)
            for name in ("bad/0", "good/0", "bad/1", "broken/0"):
                with suppress(Rejected):
                    asked(captioner, name, [])
                lines.append(path.read_bytes().count(b"\n"))

    lines: list[int] = []
    with pytest.raises(BuildError):
        run()
    assert lines == [1, 3, 3]
    with opened() as journal:
        assert journal.answers.keys() == {"bad/0", "good/0"}
        with pytest.raises(Rejected):
            asked(JournaledCaptioner(inner, journal), "bad/1", [])
    with opened() as journal:
        assert journal.answers.keys() == {"bad/0", "good/0", "bad/1"}, "after a good end"


def test_a_captioner_that_is_gone_is_not_held_against_a_request(opened) -> None:
    inner = Captioner()
    for _ in range(2):
        with opened() as journal, pytest.raises(BuildError):
            asked(JournaledCaptioner(inner, journal), "broken/0", [])
    assert inner.asked == ["broken/0"] * 2


class Scorer:
    """Scores by the length of captions."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def score(self, crops, captions) -> list[Score]:
        return [Score(len(caption) / 100, 0.0) for caption in captions]


def test_scores_are_those_of_a_scorer_a_region_and_a_caption(opened) -> None:
    with opened() as journal:
        scorer = JournaledScorer(Scorer("one"), journal)
        scores = scorer.score(["1/11", "1/12"], [CROP] * 2, ["A box.", "A can."])
        assert scores == [Score(0.06, 0.0)] * 2
    with opened() as journal:
        one, other = (JournaledScorer(Scorer(name), journal) for name in ("one", "two"))
        assert one.known("1/11", "A box.") == Score(0.06, 0.0)
        assert one.known("1/11", "A can.") is None
        assert one.known("2/11", "A box.") is None
        assert other.known("1/11", "A box.") is None
