"""The journal remembers all that was written down; lines that are not whole are set aside."""

import json
from pathlib import Path

import pytest

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.captioning.journal import Failure, Journal, RegionKey, fingerprint_of
from pipelines.recap.captioning.journal_files import JOURNALS, journal_paths, open_journals
from pipelines.recap.clip.scorer import Score
from schemas.errors import BuildError
from schemas.rejection import Reason

FAILED = Failure(Reason.CAPTION_FAILED, "status 400: no")
FIRST = Answer("A red box.", "stop", 7, 3)
SECOND = Answer("\u00e4\u2028\r\n\x00 \U0001f600", "length")
REGION = RegionKey("1", "11")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "train.jsonl"


@pytest.fixture
def opened(path):
    return lambda: Journal(str(path))


@pytest.fixture
def filled(path: Path, opened) -> list[bytes]:
    """The lines of a journal with an answer, a failure and a score."""
    with opened() as journal:
        journal.add_answer("a/0", "p", FIRST)
        journal.add_failure("b/0", "p", FAILED)
        journal.add_score(REGION, "digest", Score(0.25, 0.125))
        journal.add_answer("c/0", "p", SECOND)
    return path.read_bytes().splitlines(keepends=True)


def known(journal: Journal) -> tuple[set[str], int]:
    requests = journal.answers.keys() | journal.failures.keys()
    return {name for name, _ in requests}, len(journal.scores)


def test_all_is_remembered(opened, filled) -> None:
    with opened() as journal:
        assert journal.answers == {("a/0", "p"): FIRST, ("c/0", "p"): SECOND}
        assert journal.failures == {("b/0", "p"): FAILED}
        assert journal.scores == {("1/11", "digest"): Score(0.25, 0.125)}


def test_it_is_written_at_once(path, opened) -> None:
    with opened() as journal:
        journal.add_answer("a/0", "p", FIRST)
        (line,) = map(json.loads, path.read_bytes().splitlines())
        assert (line["type"], line["id"], line["picture"]) == ("answer", "a/0", "p")


def test_a_line_cut_anywhere_is_dropped(path, opened, filled, capfd) -> None:
    whole, last = b"".join(filled[:-1]), filled[-1]
    for length in range(len(last)):
        path.write_bytes(whole + last[:length])
        with opened() as journal:
            assert known(journal) == ({"a/0", "b/0"}, 1)
            assert path.read_bytes() == whole, "cut off, so that the next line is none of its own"
            journal.add_answer("c/0", "p", SECOND)
        assert path.read_bytes() == whole + last
    assert capfd.readouterr().err == "", "a kill is no damage"


@pytest.mark.parametrize("lost", [b"\n", bytes(40) + b"\n", b'{"type":"answer"}\n', b"{}\n\xff\n"])
@pytest.mark.parametrize("index", range(5))
def test_lines_that_cannot_be_read_are_set_aside(path, opened, filled, lost, index, capfd) -> None:
    path.write_bytes(b"".join([*filled[:index], lost, *filled[index:], b"cut"]))
    with opened() as journal:
        assert known(journal) == ({"a/0", "b/0", "c/0"}, 1)
    assert path.read_bytes() == b"".join(filled)
    assert path.with_name("train.jsonl.damaged").read_bytes() == lost
    notice = capfd.readouterr().err
    assert f"{path}: lines that cannot be read: {lost.count(10)}. They are now in " in notice
    with opened():
        assert capfd.readouterr().err == "", "one notice is enough"


def test_a_line_that_is_lost_takes_no_other_with_it(path, opened, filled) -> None:
    damaged = [filled[0][:20] + b"\x00" + filled[0][21:], *filled[1:]]
    path.write_bytes(b"".join(damaged))
    with opened() as journal:
        assert known(journal) == ({"b/0", "c/0"}, 1)
        journal.add_answer("a/0", "p", FIRST)
    assert path.read_bytes() == b"".join([*filled[1:], filled[0]])


def test_the_first_answer_counts(opened) -> None:
    with opened() as journal:
        journal.add_failure("a/0", "p", FAILED)
        journal.add_answer("a/0", "p", FIRST)
        journal.add_answer("a/0", "p", SECOND)
        journal.add_score(REGION, "digest", Score(0.25, 0.125))
        journal.add_score(REGION, "digest", Score(0.5, 0.5))
    with opened() as journal:
        assert journal.answers["a/0", "p"] == FIRST
        assert journal.score(REGION, "digest") == Score(0.25, 0.125)


def test_a_failure_keeps_its_reason(path, opened) -> None:
    filtered = Failure(Reason.CAPTION_FILTERED, "status 400: filtered")
    with opened() as journal:
        journal.add_failure("a/0", "p", FAILED)
        journal.add_failure("b/0", "p", filtered)
    first, second = map(json.loads, path.read_bytes().splitlines())
    assert first == {"type": "failure", "id": "a/0", "picture": "p", "detail": "status 400: no"}
    assert second["reason"] == "caption_filtered"
    with opened() as journal:
        assert journal.failures == {("a/0", "p"): FAILED, ("b/0", "p"): filtered}


def test_fingerprints() -> None:
    assert fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})


def test_it_must_be_local() -> None:
    with pytest.raises(BuildError, match="it must be local"):
        Journal("gs://bucket/out/_state/captions/train.jsonl").__enter__()


def test_an_image_has_one_journal_whatever_the_number_of_shards(tmp_path, make_image) -> None:
    def names(fingerprint: str, shards: int) -> dict[str, str]:
        """The file that an answer about each image is written into."""
        images = [make_image(image_id=str(number), shards=shards) for number in range(500)]
        paths = journal_paths(str(tmp_path / str(shards)), [fingerprint], images)
        with open_journals(paths) as journals:
            for image in images:
                journals[image.image_id].add_answer(image.image_id, "p", FIRST)
        return {
            json.loads(line)["id"]: path.name
            for path in tmp_path.glob(f"{shards}/_state/captions/coco/*{fingerprint}.jsonl")
            for line in path.read_bytes().splitlines()
        }

    many, few, other = names("f", 700), names("f", 2), names("g", 2)
    assert many == few
    assert len(set(few.values())) == JOURNALS
    assert set(other.values()).isdisjoint(few.values())
