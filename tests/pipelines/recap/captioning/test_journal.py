"""The journal: what it remembers, and what becomes of lines that are not whole."""

import asyncio
import json
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from pipelines.recap.captioning.captioner import Answer, Request, Subject
from pipelines.recap.captioning.journal import (
    JOURNALS,
    Journal,
    JournaledCaptioner,
    JournaledScorer,
    Notes,
    fingerprint_of,
    open_journals,
)
from pipelines.recap.clip.scorer import Score
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
    return lambda: Journal(str(path))


@pytest.fixture
def filled(path: Path, opened) -> list[bytes]:
    """The lines of a journal of everything that there is."""
    with opened() as journal:
        journal.answered("a/0", "p", FIRST)
        journal.failed("b/0", "p", "status 400: no")
        journal.scored("1/11", "digest", Score(0.25, 0.125))
        journal.answered("c/0", "p", SECOND)
    return path.read_bytes().splitlines(keepends=True)


def known(journal: Journal) -> tuple[set[str], int]:
    requests = journal.answers.keys() | journal.failures.keys()
    return {name for name, _ in requests}, len(journal.scores)


def test_all_is_remembered(opened, filled) -> None:
    with opened() as journal:
        assert journal.answers == {("a/0", "p"): FIRST, ("c/0", "p"): SECOND}
        assert journal.failures == {("b/0", "p"): "status 400: no"}
        assert journal.scores == {("1/11", "digest"): Score(0.25, 0.125)}


def test_it_is_written_at_once(path, opened) -> None:
    with opened() as journal:
        journal.answered("a/0", "p", FIRST)
        (line,) = map(json.loads, path.read_bytes().splitlines())
        assert (line["type"], line["id"], line["picture"]) == ("answer", "a/0", "p")


def test_a_line_cut_anywhere_is_dropped(path, opened, filled, capfd) -> None:
    whole, last = b"".join(filled[:-1]), filled[-1]
    for length in range(len(last)):
        path.write_bytes(whole + last[:length])
        with opened() as journal:
            assert known(journal) == ({"a/0", "b/0"}, 1)
            assert path.read_bytes() == whole, "cut off, so that the next line is none of its own"
            journal.answered("c/0", "p", SECOND)
        assert path.read_bytes() == whole + last
    assert capfd.readouterr().err == "", "a kill is no damage"


@pytest.mark.parametrize("lost", [b"\n", bytes(40) + b"\n", b'{"type":"answer"}\n', b"{}\n\xff\n"])
@pytest.mark.parametrize("place", range(5))
def test_lines_that_cannot_be_read_are_set_aside(path, opened, filled, lost, place, capfd) -> None:
    path.write_bytes(b"".join([*filled[:place], lost, *filled[place:], b"cut"]))
    with opened() as journal:
        assert known(journal) == ({"a/0", "b/0", "c/0"}, 1)
    assert path.read_bytes() == b"".join(filled)
    assert path.with_name("train.jsonl.damaged").read_bytes() == lost
    told = capfd.readouterr().err
    assert f"{path}: lines that cannot be read: {lost.count(10)}. They are now in " in told
    with opened():
        assert capfd.readouterr().err == "", "it is said once"


def test_a_line_that_is_lost_takes_no_other_with_it(path, opened, filled) -> None:
    damaged = [filled[0][:20] + b"\x00" + filled[0][21:], *filled[1:]]
    path.write_bytes(b"".join(damaged))
    with opened() as journal:
        assert known(journal) == ({"b/0", "c/0"}, 1)
        journal.answered("a/0", "p", FIRST)
    assert path.read_bytes() == b"".join([*filled[1:], filled[0]])


def test_the_first_answer_counts(opened) -> None:
    with opened() as journal:
        journal.failed("a/0", "p", "status 500")
        journal.answered("a/0", "p", FIRST)
        journal.answered("a/0", "p", SECOND)
        journal.scored("1/11", "digest", Score(0.25, 0.125))
        journal.scored("1/11", "digest", Score(0.5, 0.5))
    with opened() as journal:
        assert journal.answers["a/0", "p"] == FIRST
        assert journal.scores["1/11", "digest"] == Score(0.25, 0.125)


def test_fingerprints() -> None:
    assert fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})


def test_it_must_be_local() -> None:
    with pytest.raises(BuildError, match="local --output"):
        Journal("gs://bucket/out/_state/captions/train.jsonl")


def test_an_image_has_one_journal_whatever_the_number_of_shards(tmp_path, make_image) -> None:
    def names(fingerprint: str, shards: int) -> dict[str, str]:
        """The file that an answer about each image is written into."""
        images = [make_image(image_id=str(number), shards=shards) for number in range(500)]
        with open_journals(str(tmp_path / str(shards)), fingerprint, images) as journals:
            for image in images:
                journals[image.image_id].answered(image.image_id, "p", FIRST)
        return {
            json.loads(line)["id"]: path.name
            for path in tmp_path.glob(f"{shards}/_state/captions/coco/*{fingerprint}.jsonl")
            for line in path.read_bytes().splitlines()
        }

    many, few, other = names("f", 700), names("f", 2), names("g", 2)
    assert many == few
    assert len(set(few.values())) == JOURNALS
    assert set(other.values()).isdisjoint(few.values())


class Captioner:
    """Answers once, refuses what is called bad, and breaks on what is called broken."""

    model = "none"
    sampling: ClassVar[dict[str, float | int | str]] = {}

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    async def ask(self, request: Request) -> Answer:
        self.asked.append((request.id, request.again))
        if "bad" in request.id:
            raise Rejected(Reason.CAPTION_FAILED, f"status 400 for {request.id}")
        if "broken" in request.id:
            raise BuildError("gone")
        return FIRST

    async def close(self) -> None: ...


@pytest.fixture
def ask(opened):
    """Asks as a run of its own does."""

    def asked(inner: Captioner, request_id: str, picture: str = "p", again: bool = True) -> Answer:
        async def build() -> Request:
            subject = Subject(4, 4, ())
            return Request(
                id=request_id, image_key=0, prompt="", jpeg=b"", max_tokens=1, subject=subject
            )

        with opened() as journal:
            captioner = JournaledCaptioner(inner, Notes(journal, picture), again=again)
            return asyncio.run(captioner.ask(request_id, build))

    return asked


def test_what_was_answered_is_asked_once_over_all_runs(ask) -> None:
    inner = Captioner()
    for again in (True, True, False):
        assert ask(inner, "good/0", again=again) == FIRST
    assert inner.asked == [("good/0", False)]


def test_another_picture_is_another_request(ask) -> None:
    inner = Captioner()
    for picture in "pqpq":
        assert ask(inner, "good/0", picture) == FIRST
    assert inner.asked == [("good/0", False)] * 2


def test_what_was_refused_is_asked_again_by_the_next_run(path, ask) -> None:
    inner = Captioner()
    for _ in range(3):
        with pytest.raises(Rejected):
            ask(inner, "bad/0")
    assert inner.asked == [("bad/0", False), ("bad/0", True), ("bad/0", True)]
    assert path.read_bytes().count(b"\n") == 1, "the same is noted once"
    with pytest.raises(Rejected, match="status 400 for bad/0") as refused:
        ask(inner, "bad/0", again=False)
    assert refused.value.reason is Reason.CAPTION_FAILED
    assert len(inner.asked) == 3


def test_a_captioner_that_is_gone_is_not_held_against_a_request(ask) -> None:
    inner = Captioner()
    for _ in range(2):
        with pytest.raises(BuildError):
            ask(inner, "broken/0")
    assert inner.asked == [("broken/0", False)] * 2


class Scorer:
    """Scores by the length of captions."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def score(self, crops, captions) -> list[Score]:
        return [Score(len(caption) / 100, 0.0) for caption in captions]


def test_scores_are_those_of_a_scorer_a_region_a_picture_and_a_caption(opened) -> None:
    with opened() as journal:
        notes = Notes(journal, "p")
        scorer = JournaledScorer(Scorer("one"))
        scores = scorer.score([notes] * 2, ["1/11", "1/12"], [CROP] * 2, ["A box.", "A can."])
        assert scores == [Score(0.06, 0.0)] * 2
    with opened() as journal:
        notes, changed = Notes(journal, "p"), Notes(journal, "q")
        one, other = (JournaledScorer(Scorer(name)) for name in ("one", "two"))
        assert one.known(notes, "1/11", "A box.") == Score(0.06, 0.0)
        assert one.known(notes, "1/11", "A can.") is None
        assert one.known(notes, "2/11", "A box.") is None
        assert one.known(changed, "1/11", "A box.") is None
        assert other.known(notes, "1/11", "A box.") is None
