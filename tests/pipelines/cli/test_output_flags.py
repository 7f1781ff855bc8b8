"""--quiet, --verbose and --log-file: how much is printed, and where."""

import logging
import re
import unicodedata
import warnings
from argparse import Namespace

import pytest

from pipelines.cli.parser import run
from schemas.console import output_as
from schemas.console.secrets import masked

KEY = "open-sesame-1234"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d ")


@pytest.fixture
def build(two_splits, tmp_path):
    """Runs `build` on a small data root, with more flags; returns the exit status."""
    root, _ = two_splits
    words = ["build", "--sources", "coco", "--data-root", root, "--output", tmp_path / "out"]
    return lambda *flags: run([str(word) for word in (*words, "--label-set", "Things", *flags)])


def test_quiet_leaves_the_result_and_errors(build, tmp_path, capsys):
    assert build("--quiet") == 0
    shown = capsys.readouterr()
    assert re.fullmatch(rf"2 shards, \S+ kB, in \S+ s: {tmp_path}/out\n", shown.out)
    assert shown.err == ""
    assert run(["verify", str(tmp_path / "out"), "-q"]) == 0
    shown = capsys.readouterr()
    assert re.fullmatch(r"verified: 5 records in 2 shards, \S+ kB\n", shown.out)
    assert shown.err == ""
    (tmp_path / "out" / "README.md").unlink()
    assert run(["verify", str(tmp_path / "out"), "-q"]) == 1
    shown = capsys.readouterr()
    assert "README.md" in shown.out
    assert run(["verify", str(tmp_path), "-q"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_log_file_has_all_with_times_and_without_keys(build, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    log = tmp_path / "log"
    assert build("--quiet", "--log-file", log, "--recipe=\x1b[31m") == 2
    assert not log.exists()
    assert build("--quiet", "--log-file", log) == 0
    assert build("--log-file", log, "--data-root", f"/nowhere/{KEY}\x1b[31m") == 2
    capsys.readouterr()
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(TIME.match(line) for line in lines)
    words = [TIME.sub("", line, count=1) for line in lines]
    assert words[0].startswith("$ regionforge build --sources coco --data-root ")
    text = "\n".join(words)
    assert "\nguard: " in text
    assert re.search(r"^source +split +images", text, re.MULTILINE)
    assert re.search(rf"^2 shards, \S+ kB, in \S+ s: {tmp_path}/out$", text, re.MULTILINE)
    assert "UsageError: --data-root /nowhere/[key]\\x1b[31m: there is no such folder" in text
    assert KEY not in text
    assert {c for c in text if unicodedata.category(c) in {"Cc", "Cf"}} <= {"\n"}


def test_a_log_file_that_cannot_be_written(build, tmp_path, capsys):
    assert build("--log-file", tmp_path) == 2
    assert capsys.readouterr().err.startswith(f"error: --log-file {tmp_path}: cannot be written: ")
    assert not (tmp_path / "out").exists()


def test_quiet_and_verbose_exclude_each_other(build, capsys):
    assert build("--quiet", "--verbose") == 2
    assert capsys.readouterr().err.startswith("error: -v/--verbose and -q/--quiet: give one")


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("", ["ours"]),
        ("quiet", []),
        ("verbose", ["some.library: theirs", "some.library: fine", "ours", "old"]),
    ],
)
def test_logs_and_warnings_of_libraries_are_details(flag, expected, capsys):
    args = Namespace(quiet=flag == "quiet", verbose=flag == "verbose", log_file=None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with output_as(args, []):
            logging.getLogger("some.library").warning("theirs")
            logging.getLogger("some.library").info("fine")
            logging.getLogger("train.some").warning("ours")
            warnings.warn_explicit("old", DeprecationWarning, "/lib/old.py", 1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("/lib/old.py: DeprecationWarning: ") for line in lines] == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer [key]"),
        ("http://joe:sesame@gpu/v1", "http://joe:[key]@gpu/v1"),
        ("http://gpu/v1?api_key=abc&x=1", "http://gpu/v1?api_key=[key]&x=1"),
        ("the key sk-abcdefghijklmnop is", "the key [key] is"),
        (f"a {KEY} b", "a [key] b"),
        ("12 tokens, 3 keys: --max-tokens 5", "12 tokens, 3 keys: --max-tokens 5"),
    ],
)
def test_secrets_are_masked(text, shown, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", KEY)
    assert masked(text) == shown
