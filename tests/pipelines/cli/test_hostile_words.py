"""No command prints a character that steers a terminal, wherever it comes from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.parser import run
from tests.hostile import HOSTILE, assert_readable

JUDGE = ["--bench", "dlc", "--endpoint", "http://localhost:1", "--model", "x"]
Shown = Callable[..., tuple[int, str]]


@pytest.fixture
def shown(capsys) -> Shown:
    """Runs a command; returns its exit status and all that it printed, which is text to read."""

    def call(*words: object) -> tuple[int, str]:
        status = run([str(word) for word in words])
        printed = "".join(capsys.readouterr())
        assert_readable(printed)
        return status, printed

    return call


@pytest.fixture
def build(two_splits, tmp_path, shown) -> Shown:
    """Runs `build` on a small data root, with more flags."""
    root, _ = two_splits
    words = ["build", "--sources", "coco", "--data-root", root, "--output", tmp_path / "out"]
    return lambda *flags: shown(*words, "--label-set", "Things", *flags)


FLAGS = [
    ["--data-root", HOSTILE],
    ["--output", f"/dev/null/{HOSTILE}"],
    ["--label-set", HOSTILE],
    ["--limit", HOSTILE],
    ["--style", HOSTILE],
    ["--sources", HOSTILE],
    ["--path", f"coco.{HOSTILE}=x"],
    ["--per-category", HOSTILE],
    ["--shard-size", HOSTILE],
    ["--rebuild", HOSTILE],
    ["--runner", HOSTILE],
    ["--wordings", HOSTILE],
    ["--log-file", f"/nowhere/{HOSTILE}"],
    [f"--{HOSTILE}"],
    [HOSTILE],
]


@pytest.mark.parametrize("flags", FLAGS)
def test_words_of_the_command_line(build, flags):
    status, printed = build(*flags)
    assert status == 2
    assert "x1b[2J" in printed


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE],
        ["verify", HOSTILE],
        ["verify", "x", "--workers", HOSTILE],
        ["preview", HOSTILE],
        ["info", HOSTILE],
        ["info", ".", "--draw", HOSTILE, "--id", "x"],
        ["diff", ".", HOSTILE],
        ["new-source", HOSTILE],
        ["check-source", HOSTILE, "--data-root", "."],
        ["merge", HOSTILE, "x", "--output", "y"],
        ["subset", HOSTILE, "--limit", "1", "--output", "y"],
        ["subset", ".", "--ids", HOSTILE, "--output", "y"],
        ["sources", HOSTILE, "--data-root", "."],
        ["sources", "--data-root", HOSTILE],
        ["validate", HOSTILE],
        ["validate", f"{HOSTILE}.yaml"],
        ["sample-world", f"/dev/null/{HOSTILE}"],
        [
            "judge",
            HOSTILE,
            *["--bench", "dlc", "--endpoint", "http://x:1", "--model", "x", "--questions"],
            HOSTILE,
        ],
        ["calibrate", HOSTILE, "--to", "x.json"],
        ["wordings", "--set", HOSTILE, "--endpoint", "x", "--model", "y"],
        ["recap", "--source", HOSTILE, "--data-root", ".", "--output", "x", "--no-filter"],
    ],
)
def test_words_of_other_commands(shown, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, printed = shown(*words)
    assert status != 0
    assert "x1b[2J" in printed or "--model" in printed


def test_names_in_annotations(build, two_splits, shown, tmp_path):
    _, splits = two_splits
    train = splits["train"]
    train.data["categories"][0]["name"] = f"[bold]{HOSTILE}[/bold]"
    train.listed(77, f"{HOSTILE}.jpg", None)
    train.region(88, 77)
    train.data["annotations"].append({"id": HOSTILE, "image_id": HOSTILE})
    train.save()
    assert build("--dry-run")[0] == 0
    assert build()[0] == 0
    output = tmp_path / "out"
    assert shown("verify", output)[0] == 0
    assert shown("preview", output, "-n", 50)[0] == 0
    assert shown("info", output)[0] == 0


def test_names_of_folders(two_splits, shown, tmp_path):
    root, _ = two_splits
    hostile = root.rename(tmp_path / f"[red]{HOSTILE}")
    words = ["--sources", "coco", "--data-root", hostile, "--label-set", "Things"]
    output = tmp_path / f"out{HOSTILE}"
    status, printed = shown("build", *words, "--output", output)
    assert (status, "[red]\\x1b" in printed or "out\\x1b" in printed) == (0, True)
    assert shown("verify", output, "--data-root", hostile)[0] == 0
    assert shown("preview", output, "--html", tmp_path / f"{HOSTILE}.html")[0] == 0
    assert shown("sources", "--data-root", hostile)[0] == 0


@pytest.mark.parametrize(
    "recipe",
    [
        f'"{HOSTILE!a}": 1'.replace("'", ""),
        f"name: mine\n{json.dumps(HOSTILE)}: 1\nsources: [{{name: coco}}]",
        f"name: {json.dumps(HOSTILE)}\nsources: [{{name: coco}}]",
        f"name: mine\nsources: [{{name: {json.dumps(HOSTILE)}}}]",
        f"name: mine\nsources: [{{name: coco, {json.dumps(HOSTILE)}: 1}}]",
        f"name: mine\nstyle: {json.dumps(HOSTILE)}\nsources: [{{name: coco}}]",
        f"name: mine\nsources: [{{name: coco, splits: [{json.dumps(HOSTILE)}]}}]",
        f"name: mine\nwordings: {{{json.dumps(HOSTILE)}: [a]}}\nsources: [{{name: coco}}]",
        f"name: [{HOSTILE}",
    ],
)
def test_keys_and_values_of_recipes(shown, recipe, two_splits, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(recipe, encoding="utf-8")
    root, _ = two_splits
    words = ["--recipe", path, "--data-root", root, "--output", tmp_path / "out"]
    assert shown("build", *words)[0] == 2
    assert shown("validate", path)[0] == 1


def _change(value: object) -> object:
    """The value with every text made hostile."""
    match value:
        case str():
            return value + HOSTILE
        case dict():
            return {key: _change(each) for key, each in value.items()}
        case list():
            return [_change(each) for each in value]
    return value


def test_values_of_manifests_cards_and_ledgers(build, shown, tmp_path):
    assert build()[0] == 0
    output = Path(tmp_path / "out")
    manifest = output / "manifest.json"
    whole = json.loads(manifest.read_text(encoding="utf-8"))
    for key in whole:
        changed = {**whole, key: _change(whole[key]), HOSTILE: 1}
        manifest.write_text(json.dumps(changed), encoding="utf-8")
        assert shown("verify", output)[0] == 1
        shown("preview", output)
        shown("build", "--sources", "coco", "--data-root", tmp_path, "--output", output)
    manifest.write_text(json.dumps(whole), encoding="utf-8")
    for name in ("README.md", "ledger.json"):
        content = (output / name).read_text(encoding="utf-8")
        (output / name).write_text(content.replace("coco", f"coco{HOSTILE}"), encoding="utf-8")
        assert shown("verify", output)[0] == 1
        (output / name).write_text(content, encoding="utf-8")
    (output / f"{HOSTILE}.arrow").touch()
    (output / "coco" / f"{HOSTILE}.arrow").touch()
    assert shown("verify", output)[0] == 1


def test_json_holds_what_is_hostile(build, shown, tmp_path):
    assert build()[0] == 0
    (tmp_path / "out" / f"{HOSTILE}.arrow").touch()
    status, printed = shown("verify", tmp_path / "out", "--json", "--quiet")
    assert status == 1
    assert printed.isascii()
    assert any(HOSTILE in problem for problem in json.loads(printed)["problems"])
