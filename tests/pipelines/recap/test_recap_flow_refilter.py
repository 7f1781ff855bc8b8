"""`recap --refilter`: another threshold without a call, and no captions lost by mistake."""

import json
from hashlib import sha256
from pathlib import Path
from statistics import median_low

import pytest

from pipelines import files

THRESHOLD, OTHER = -0.5, 0.1


@pytest.fixture
def words(serve):
    """The server of a run, and the flags that do not filter."""
    server = serve()
    flags = ["--endpoint", server.url, "--model", "stub", "--limit", 4, "--shard-size", "20KB"]
    return server, [*flags, "--device", "cpu"]


def content(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that a user is meant to see; the card names the folder."""
    here = str(folder).encode()
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes().replace(here, b"")).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "_state" not in path.parts
    }


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_refiltered_run_is_a_fresh_one(words, recap_words, recap_output, tmp_path) -> None:
    server, flags = words
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    first = content(out)
    journal = recap_output(out).journal()
    scores = {line["id"]: line["score"]["mean"] for line in journal if line["type"] == "score"}
    other = median_low(scores.values())
    assert recap_words(fresh, *flags, "--threshold", other)[0] == 0
    server.forget()
    status, said = recap_words(out, *flags, "--refilter", other)
    assert status == 0, said
    assert content(out) == content(fresh) != first
    few = recap_output(out)
    assert sorted(map(str, few.journal())) == sorted(map(str, recap_output(fresh).journal()))
    stay = {key.rpartition("/")[2] for key, score in scores.items() if score >= other}
    assert few.captions().keys() == stay
    unlike = [id_ for id_, reason in few.rejected().items() if reason == "caption_unlike_crop"]
    assert unlike
    lines = (out / "_rejected" / "recapd.jsonl").read_text("utf-8").splitlines()
    told = [line["detail"] for line in map(json.loads, lines) if line["id"] in unlike]
    assert all("similarity" in line and "caption: There is" in line for line in told)

    # Once more, back again, and as a rerun of what is now there: never a call.
    server.stop()
    assert recap_words(out, *flags, "--refilter", other)[0] == 0
    assert content(out) == content(fresh)
    assert recap_words(out, *flags, "--refilter", THRESHOLD)[0] == 0
    assert content(out) == first
    assert server.log() == []


def test_an_unfiltered_run_can_be_filtered_later(words, recap_words, tmp_path) -> None:
    server, flags = words
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    assert recap_words(out, *flags, "--no-filter")[0] == 0
    assert recap_words(fresh, *flags, "--threshold", THRESHOLD)[0] == 0
    server.stop()
    assert recap_words(out, *flags, "--refilter", THRESHOLD)[0] == 0
    assert content(out) == content(fresh)


def test_mistakes_cost_no_captions(words, recap_words, tmp_path) -> None:
    _, flags = words
    out = tmp_path / "out"
    refilter = ["--refilter", OTHER]
    status, said = recap_words(out, *flags, *refilter)
    assert status == 1
    assert "error: " in said
    assert "Run the same without it first" in said
    assert not out.exists()

    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    before = everything(out)
    mistakes = {
        ("--threshold", OTHER): "--refilter S",
        ("--no-filter",): "--refilter S",
        (*refilter, "--temperature", 1): "captioning",
        (*refilter, "--limit", 5): "limit",
        (*refilter, "--no-global-caption"): "captioning",
        (*refilter, "--model", "other"): "captioning",
        (*refilter, "--shard-size", "1MB"): "shard_bytes",
        ("--threshold", OTHER, "--seed", 1): "--rebuild",
        (*refilter, "--threshold", OTHER): "Give one of",
        (): "Give one of",
    }
    for mistake, hint in mistakes.items():
        status, said = recap_words(out, *flags, *mistake)
        assert status == 1, mistake
        assert "error: " in said
        assert hint in said, mistake
        assert "Traceback" not in said
        assert everything(out) == before, mistake


def test_a_run_that_has_not_ended(words, recap_words, tmp_path) -> None:
    server, flags = words
    out = tmp_path / "out"
    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    (out / "manifest.json").unlink()
    journal = max(out.glob("_state/captions/*/*"), key=lambda path: path.stat().st_size)
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    before = everything(out)
    status, said = recap_words(out, *flags, "--refilter", OTHER)
    assert (status, "has not ended" in said) == (1, True)
    assert everything(out) == before
    server.forget()
    status, said = recap_words(out, *flags, "--refilter", THRESHOLD)
    assert (status, "was never answered" in said) == (1, True)
    assert server.log() == []
    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    assert sorted(journal.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert recap_words(out, *flags, "--refilter", OTHER)[0] == 0


@pytest.mark.parametrize("flag", ["--refilter", "--rebuild"])
@pytest.mark.parametrize("steps", [1, 6, 99])
def test_an_end_while_an_old_run_is_cleared(
    recap_words, tmp_path, monkeypatch, flag, steps
) -> None:
    """What is left is a run that can be gone on with, whether to the old end or the new one."""
    flags = ["--captioner", "builtin", "--limit", 4, "--shard-size", "20KB", "--device", "cpu"]
    begun = [*flags, "--threshold", THRESHOLD]
    anew = [*flags, flag, OTHER] if flag == "--refilter" else [*begun, flag, "--seed", 1]
    assert recap_words(tmp_path, *begun)[0] == 0
    before, left, delete = content(tmp_path), steps, files.delete

    def dying_delete(paths: list[str]) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        delete(paths)

    def dying_write(path: str, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "delete", dying_delete)
    monkeypatch.setattr(files, "write_whole", dying_write)
    assert recap_words(tmp_path, *anew)[0] == 130
    monkeypatch.undo()
    assert content(tmp_path).items() < before.items()
    assert recap_words(tmp_path, *begun)[0] == 0
    assert content(tmp_path) == before
    assert recap_words(tmp_path, *anew)[0] == 0
    assert content(tmp_path) != before
