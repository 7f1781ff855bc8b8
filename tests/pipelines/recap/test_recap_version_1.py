"""`recap` on outputs of version 1: shards are built again from the journal, without a call."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.storage import files
from pipelines.verify import verify

NOTICE = "schema 1: shards are built again from the journal; "
NOTICE += "no answer that it holds is asked for again\n"
OWNER = Path(__file__).parents[1] / "version_1" / "owner"
PATHS = ["--path", f"coco.train={OWNER}/annotations.json"]
PATHS += ["--path", f"coco.images={OWNER}/pictures"]
FLAGS = ["--label-set", "Things", *PATHS, "--model", "stub"]
FLAGS += ["--min-words", "5"]  # as many as its captions have


@pytest.fixture
def earlier(version_1) -> Path:
    """An output whose captions a server wrote, in a folder of the test's own."""
    return Path(version_1 / "scripted")


@pytest.fixture
def run(serve, recap_words) -> Any:
    """Runs `recap` with a new server: exit status, all that was printed, and what was asked."""

    def run_recap(output: Path, *words: object) -> tuple[int, str, list[str]]:
        server = serve()
        where = [*FLAGS, "--endpoint", server.url]
        status, printed = recap_words(output, *where, *words, source="coco")
        return status, printed, [line["id"] for line in server.log()]

    return run_recap


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


def journals(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("_state/captions/*/*.jsonl")}


def copy_journals(output: Path, other: Path) -> None:
    """Give an output the answers of another one, which prompts of today would not get."""
    shutil.rmtree(other / "_state/captions")
    shutil.copytree(output / "_state/captions", other / "_state/captions")


@pytest.mark.parametrize("words", [["--no-filter"], ["--refilter", -0.5]], ids=str)
def test_it_is_built_again_without_a_call(earlier, run, recap_output, tmp_path, words) -> None:
    before = journals(earlier)
    status, printed, asked = run(earlier, *words)
    assert (status, asked) == (0, []), printed
    assert printed.count(NOTICE) == 1
    assert verify(str(earlier)).problems == []
    again = journals(earlier)
    assert all(again[name].startswith(lines) for name, lines in before.items())
    rows = recap_output(earlier).output.rows()
    assert len(rows) == 3
    for row in rows:
        for region in row["regions"]:
            (text,) = region["captions"]
            assert text["text"] == region["caption"]
            assert (text["clip"] is None) == (row["provenance"]["scorer"] is None)
            assert region["score"] is None

    fresh = [word if word != "--refilter" else "--threshold" for word in words]
    assert run(tmp_path / "fresh", *fresh)[0] == 0
    copy_journals(earlier, tmp_path / "fresh")
    status, printed, asked = run(tmp_path / "fresh", *fresh)
    assert (status, NOTICE in printed) == (0, False)
    assert [name for name in asked if name.startswith("recapd/")] == []
    assert content(tmp_path / "fresh") == content(earlier)
    status, printed, asked = run(earlier, *fresh)
    assert (status, asked, NOTICE in printed) == (0, [], False)


def test_the_builtin_captioner_is_not_asked_and_only_scores_are_new(
    version_1, recap_words, monkeypatch
) -> None:
    """Scores of an earlier program are of another kind than those by sentence."""

    def refuse(*_: object) -> None:
        raise AssertionError("what was asked is known")

    monkeypatch.setattr(BuiltinCaptioner, "ask", refuse)
    flags = ["--captioner", "builtin", "--limit", 1, "--device", "cpu"]
    out = version_1 / "recapd"
    before = journals(out)
    status, printed = recap_words(out, *flags, "--threshold", -0.9)
    assert (status, "now {'threshold': -0.9, 'scorer': 'small sha256:" in printed) == (1, True)
    assert printed.count(", GELU, by sentence'}). To filter its captions anew, without a call") == 1
    assert journals(out) == before
    status, printed = recap_words(out, *flags, "--refilter", -0.9)
    assert (status, printed.count(NOTICE)) == (0, 1), printed
    assert verify(str(out)).problems == []
    after = journals(out)
    assert after.keys() == before.keys()
    for name, lines in after.items():
        added = lines.removeprefix(before[name]).splitlines()
        assert {json.loads(line)["type"] for line in added} == {"score"}


def test_a_run_of_version_1_that_has_not_ended_goes_on(earlier, run, tmp_path) -> None:
    (earlier / "manifest.json").unlink()
    journal = min(earlier.glob("_state/captions/*/*.jsonl"))
    *kept, last = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(kept))
    status, printed, asked = run(earlier, "--no-filter")
    assert (status, printed.count(NOTICE)) == (0, 1), printed
    assert [name for name in asked if not name.startswith("canary")] == [json.loads(last)["id"]]
    assert run(tmp_path / "fresh", "--no-filter")[0] == 0
    copy_journals(earlier, tmp_path / "fresh")
    assert run(tmp_path / "fresh", "--no-filter")[0] == 0
    assert content(earlier) == content(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--no-filter", "--temperature", 1], "captioning"),
        (["--refilter", -0.5, "--temperature", 1], "captioning"),
        (["--no-filter", "--seed", 1], "seed"),
        (["--threshold", -0.5], "--refilter S"),
    ],
    ids=str,
)
def test_other_flags_cost_no_captions(earlier, run, words, hint) -> None:
    before = everything(earlier)
    status, printed, asked = run(earlier, *words)
    assert (status, "error: " in printed, hint in printed) == (1, True, True), printed
    assert "Traceback" not in printed
    assert not any(name.startswith("recapd/") for name in asked)
    assert everything(earlier) == before


@pytest.mark.parametrize("steps", [1, 3, 99])
def test_an_end_while_it_is_cleared(earlier, run, monkeypatch, steps) -> None:
    """What is left still has all captions, and the same command goes on."""
    before, left, delete = journals(earlier), steps, files.delete

    def dying_delete(paths: list[str]) -> None:
        nonlocal left
        for path in paths:
            if not left:
                raise KeyboardInterrupt
            left -= 1
            delete([path])

    def dying_write(path: str, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "delete", dying_delete)
    monkeypatch.setattr(files, "write_whole", dying_write)
    assert run(earlier, "--no-filter")[0] == 130
    monkeypatch.undo()
    assert journals(earlier) == before
    status, printed, asked = run(earlier, "--no-filter")
    assert (status, asked) == (0, []), printed
    assert verify(str(earlier)).problems == []


def test_a_build_is_told_what_to_type(earlier, recap_words, command_line, tmp_path) -> None:
    out, paths = tmp_path / "out", ["--label-set", "Things", *PATHS]
    done = command_line("build", "--sources", "coco", *paths, "--recapd", earlier, "--output", out)
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1] == (
        f"error: --recapd: {earlier}/manifest.json is of schema 1, by regionforge 0.1.0; "
        "expected 2: build again; captions are kept: "
        f"regionforge recap --source coco --output {earlier}, with its other flags as they were"
    )
    assert not out.exists()
