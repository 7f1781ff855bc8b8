"""`recap --refilter`: another threshold without a call, and no captions lost by mistake."""

import json
from hashlib import sha256
from pathlib import Path
from statistics import median_low

import pytest

from pipelines.storage import files

THRESHOLD, OTHER = -0.5, 0.1
FEW = ("--limit", 4, "--per-image", 4, "--shard-size", "20KiB")
BEGUN = (*FEW, "--threshold", THRESHOLD)


@pytest.fixture
def words(serve):
    """The server of a run, and the flags that do not filter."""
    server = serve()
    return server, ["--endpoint", server.url, "--model", "stub", *FEW]


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


def test_a_refiltered_run_is_a_fresh_one(
    words, recap_words, recapd, recap_output, tmp_path
) -> None:
    server, flags = words
    out, fresh = recapd(tmp_path / "out", *BEGUN), tmp_path / "fresh"
    first = content(out)
    journal = recap_output(out).journal()
    scores = {line["id"]: line["score"]["mean"] for line in journal if line["type"] == "score"}
    other = median_low(scores.values())
    assert recap_words(fresh, *flags, "--threshold", other)[0] == 0
    server.forget()
    status, printed = recap_words(out, *flags, "--refilter", other)
    assert status == 0, printed
    assert content(out) == content(fresh) != first
    few = recap_output(out)
    assert sorted(map(str, few.journal())) == sorted(map(str, recap_output(fresh).journal()))
    stay = {key.rpartition("/")[2] for key, score in scores.items() if score >= other}
    assert few.captions().keys() == stay
    unlike = [id_ for id_, reason in few.rejected().items() if reason == "caption_unlike_crop"]
    assert unlike
    lines = (out / "_rejected" / "recapd.jsonl").read_text("utf-8").splitlines()
    details = [line["detail"] for line in map(json.loads, lines) if line["id"] in unlike]
    assert all("similarity" in line and "caption: There is" in line for line in details)

    # Once more, back again, and as a rerun of what is now there: never a call.
    server.stop()
    assert recap_words(out, *flags, "--refilter", other)[0] == 0
    assert content(out) == content(fresh)
    assert recap_words(out, *flags, "--refilter", THRESHOLD)[0] == 0
    assert content(out) == first
    assert server.log() == []


def test_a_sentence_below_the_minimum_rejects_a_caption(
    words, recap_words, recapd, recap_output, tmp_path
) -> None:
    _, flags = words
    out = recapd(tmp_path / "out", *BEGUN)
    journal = recap_output(out).journal()
    least = {
        line["id"].rpartition("/")[2]: line["score"]["minimum"]
        for line in journal
        if line["type"] == "score"
    }
    limit = sorted(least.values())[len(least) // 2]
    status, printed = recap_words(out, *flags, "--refilter", -1, "--threshold-min", limit)
    assert status == 0, printed
    few = recap_output(out)
    assert few.captions().keys() == {key for key, score in least.items() if score >= limit}
    regions, captioned, kept = (
        sum(int(row.split("|")[column]) for row in _size_rows(out)) for column in (2, 3, 4)
    )
    assert kept == len(few.captions()) < len(least) == captioned <= regions


def _size_rows(folder: Path) -> list[str]:
    """The rows of the card's table of sizes."""
    card = (folder / "README.md").read_text("utf-8")
    return [line for line in card.splitlines() if line.startswith("| from ")]


def test_an_unfiltered_run_can_be_filtered_later(words, recap_words, recapd, tmp_path) -> None:
    server, flags = words
    out = tmp_path / "out"
    assert recap_words(out, *flags, "--no-filter")[0] == 0
    fresh = recapd(tmp_path / "fresh", *BEGUN)
    server.stop()
    assert recap_words(out, *flags, "--refilter", THRESHOLD)[0] == 0
    assert content(out) == content(fresh)


def test_mistakes_cost_no_captions(words, recap_words, recapd, tmp_path) -> None:
    _, flags = words
    out = tmp_path / "out"
    refilter = ["--refilter", OTHER]
    status, printed = recap_words(out, *flags, *refilter)
    assert status == 1
    assert "error: " in printed
    assert "Run the same without it first" in printed
    assert not out.exists()

    recapd(out, *BEGUN)
    before = everything(out)
    mistakes = {
        ("--threshold", OTHER): "--refilter S",
        ("--no-filter",): "--refilter S",
        (*refilter, "--temperature", 1): "captioning",
        (*refilter, "--limit", 5): "limit",
        (*refilter, "--no-global-caption"): "captioning",
        (*refilter, "--model", "other"): "captioning",
        (*refilter, "--shard-size", "1MiB"): "shard_bytes",
        ("--threshold", OTHER, "--seed", 1): "--rebuild",
        (*refilter, "--threshold", OTHER): "each say so: give one",
        (): "Give one of",
    }
    for mistake, hint in mistakes.items():
        status, printed = recap_words(out, *flags, *mistake)
        assert status == (2 if "ive one" in hint else 1), mistake
        assert "error: " in printed
        assert hint in printed, mistake
        assert "Traceback" not in printed
        assert everything(out) == before, mistake


def test_a_run_that_has_not_ended(words, recap_words, recapd, tmp_path) -> None:
    server, flags = words
    out = recapd(tmp_path / "out", *BEGUN)
    (out / "manifest.json").unlink()
    journal = max(out.glob("_state/captions/*/*"), key=lambda path: path.stat().st_size)
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    before = everything(out)
    status, printed = recap_words(out, *flags, "--refilter", OTHER)
    assert (status, "has not ended" in printed) == (1, True)
    assert everything(out) == before
    server.forget()
    status, printed = recap_words(out, *flags, "--refilter", THRESHOLD)
    assert (status, "was never answered" in printed) == (1, True)
    assert server.log() == []
    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    assert sorted(journal.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert recap_words(out, *flags, "--refilter", OTHER)[0] == 0


@pytest.mark.parametrize("threshold", [OTHER, THRESHOLD])
def test_lost_answers_are_missed_before_anything_is_cleared(
    words, recap_words, recapd, tmp_path, threshold
) -> None:
    server, flags = words
    out = recapd(tmp_path / "out", *BEGUN)
    whole = content(out)
    journal = max(out.glob("_state/captions/*/*"), key=lambda path: path.stat().st_size)
    kept = journal.read_bytes()
    lines = kept.splitlines(keepends=True)
    server.forget()
    for damaged in (kept[:-9], b"".join(lines[1:]), kept.replace(b"answer", b"ans\0er", 1), None):
        journal.unlink() if damaged is None else journal.write_bytes(damaged)
        before = everything(out)
        status, printed = recap_words(out, *flags, "--refilter", threshold)
        assert (status, "is not as its run left it" in printed) == (1, True), printed
        assert journal.name in printed
        assert everything(out) == before
    assert server.log() == []
    assert recap_words(out, *flags, "--threshold", THRESHOLD)[0] == 0
    assert sorted(journal.read_bytes().splitlines()) == sorted(kept.splitlines())
    assert content(out) == whole
    assert recap_words(out, *flags, "--refilter", threshold)[0] == 0


def test_pictures_that_have_changed(coco_file, recap_words) -> None:
    """Another size is seen before anything is cleared; the same size, when the picture is read."""
    owner = coco_file().good(*range(1, 5)).save()
    out = owner.pictures / "out"  # what is written there is no picture
    paths = [f"coco.train={owner.file}", "--path", f"coco.images={owner.pictures}"]
    flags = ["--label-set", "Things", "--path", *paths, "--captioner", "builtin", "--device", "cpu"]
    begun = [*flags, "--threshold", THRESHOLD]
    refilter, anew = [*flags, "--refilter", OTHER], [*flags, "--threshold", OTHER]
    assert recap_words(out, *begun, source="coco")[0] == 0
    before = everything(out)
    picture = owner.pictures / "2.jpg"
    picture.write_bytes(picture.read_bytes() + b"more")
    status, printed = recap_words(out, *refilter, source="coco")
    assert (status, "the pictures of train" in printed) == (1, True), printed
    assert everything(out) == before

    assert recap_words(out, *begun, source="coco")[0] == 0
    picture.write_bytes(picture.read_bytes()[:-4] + b"less")
    status, printed = recap_words(out, *refilter, source="coco")
    assert (status, "/2/image/0 was never answered about the picture" in printed) == (1, True), (
        printed
    )
    assert recap_words(out, *anew, source="coco")[0] == 0
    assert recap_words(out, *refilter, source="coco")[0] == 0


def test_what_was_refused_stays_refused(serve, recap_words, recap_output, tmp_path) -> None:
    out = tmp_path / "out"
    server = serve({"match": "region/.*[13579]/0$", "status": 400})
    flags = ["--endpoint", server.url, "--model", "stub", "--limit", 3]
    assert recap_words(out, *flags, "--no-filter")[0] == 0
    before = recap_output(out).rejected()
    assert "caption_failed" in before.values()
    server.stop()
    status, printed = recap_words(out, *flags, "--refilter", -1)
    assert status == 0, printed
    assert recap_output(out).rejected() == before


def test_a_threshold_that_kept_nothing_can_be_lowered(words, recap_words, tmp_path) -> None:
    server, flags = words
    out = tmp_path / "out"
    status, printed = recap_words(out, *flags, "--threshold", 1)
    assert (status, "nothing was kept" in printed) == (1, True)
    server.stop()
    assert recap_words(out, *flags, "--refilter", THRESHOLD)[0] == 0


@pytest.mark.parametrize(
    ("anew", "mended"),
    [(["--threshold", THRESHOLD], True), (["--refilter", OTHER], True), (["--no-filter"], False)],
)
def test_captions_outlive_the_builder(
    words, recap_words, recapd, recap_output, tmp_path, monkeypatch, anew, mended
) -> None:
    """A new version of ours writes all shards anew, from the same answers."""
    server, flags = words
    out = recapd(tmp_path / "out", *BEGUN)
    noted = recap_output(out).noted()
    before = everything(out)
    server.forget()
    monkeypatch.setattr("pipelines.plan.BUILDER", "regionforge 99")
    status, printed = recap_words(out, *flags, *anew)
    assert status == (0 if mended else 1), printed
    assert [line for line in server.log() if not line["id"].startswith("canary")] == []
    if mended:
        rows = recap_output(out).output.rows()
        assert {row["provenance"]["builder"] for row in rows} == {"regionforge 99"}
        assert recap_output(out).noted() == noted
    else:
        assert "--refilter S" in printed
        assert everything(out) == before


@pytest.mark.parametrize("flag", ["--refilter", "--rebuild"])
@pytest.mark.parametrize("steps", [1, 6, 99])
def test_an_end_while_an_old_run_is_cleared(
    recap_words, recapd, tmp_path, monkeypatch, flag, steps
) -> None:
    """What is left is a run that can be gone on with, whether to the old end or the new one."""
    flags = ["--captioner", "builtin", "--device", "cpu", *FEW]
    begun = [*flags, "--threshold", THRESHOLD]
    anew = [*flags, flag, OTHER] if flag == "--refilter" else [*begun, flag, "--seed", 1]
    out = recapd(tmp_path / "out", *begun)
    before, left, delete = content(out), steps, files.delete

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
    assert recap_words(out, *anew)[0] == 130
    monkeypatch.undo()
    assert content(out).items() < before.items()
    assert recap_words(out, *begun)[0] == 0
    assert content(out) == before
    assert recap_words(out, *anew)[0] == 0
    assert content(out) != before
