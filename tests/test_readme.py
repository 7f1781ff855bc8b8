"""What the README shows is run as it stands."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.parser import make_parser
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.sample_world import write_world
from schemas.ledger import Stage

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
FLAGS_OF_VLLM = {
    "--allowed-local-media-path",
    "--allowed-media-domains",
    "--api-key",
    "--api-server-count",
    "--data-parallel-size",
    "--limit-mm-per-prompt",
    "--max-model-len",
    "--max-num-batched-tokens",
    "--max-num-seqs",
}


def code_blocks() -> list[str]:
    """What the README shows in Python: how to use shards, and how to make them."""
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_lines_for_researchers_run(tmp_path: Path) -> None:
    write_world(tmp_path / "world", "small")
    recipe = Recipe(sources=(SourceRequest(name="coco", label_set="Shapes-15"),))
    output = str(tmp_path / "shards")
    launch(make_plan(recipe, str(tmp_path / "world"), output), LaunchOptions())
    code, _ = code_blocks()
    names: dict[str, Any] = {}
    exec(code.replace("/shards", output), names)
    record, region, pixels = names["record"], names["region"], names["pixels"]
    assert record["task"] == "region_classification"
    assert record["messages"][1]["content"] == region["category"]
    assert pixels.shape == (record["height"], record["width"])
    assert pixels.any()


def test_ten_lines_make_shards_and_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path / "world", "small")
    monkeypatch.chdir(tmp_path)
    _, code = code_blocks()
    assert len([line for line in code.splitlines() if line]) == 10
    named = code.replace("{name: coco,", "{name: coco, label_set: Shapes-15,")
    exec(named.replace("/data", "world").replace("/mine", "mine"), {})
    manifest = json.loads((tmp_path / "mine" / "manifest.json").read_bytes())
    assert manifest["identity"]["recipe"]["name"] == "mine"
    assert manifest["identity"]["recipe"]["seed"] == 7
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("coco/train")]
    rows = [shard["rows"] for shard in manifest["shards"] if shard["split"] == "train"]
    assert len(lines) == sum(rows) > 20


def test_it_starts_with_the_two_commands() -> None:
    commands = [line.split()[:2] for line in README.splitlines() if line.startswith("    make ")]
    assert commands[:2] == [["make", "demo"], ["make", "test"]]
    assert README.index("make demo") < 40


def test_the_tree_is_the_tree() -> None:
    section = README.split("## The code")[1]
    shown = re.findall(r"^    ([a-z_/, ]+?)/ {2,}", section, re.MULTILINE)
    folders = {name.strip(" /") for line in shown for name in line.split(",")}
    packages = {path.parent for path in CHECKOUT.glob("*/__init__.py")}
    rooms = {path.parent for path in CHECKOUT.glob("pipelines/*/__init__.py")}
    assert folders == {str(path.relative_to(CHECKOUT)) for path in packages | rooms} | {"tests"}


def test_the_stages_are_those_of_the_ledger() -> None:
    section = README.split("## The code")[1].split("The folders:")[0]
    (picture,) = re.findall(r"^    (.* ─► .*)$", section, re.MULTILINE)
    stages = [str(stage) for stage in Stage if stage is not Stage.FILTER]  # of `recap` alone
    assert re.findall(r"\w+", picture) == [*stages, "publish"]
    assert re.findall(r"^    ([a-z]+) {2,}", section, re.MULTILINE) == [*stages, "publish"]


def test_every_flag_it_names_exists() -> None:
    (commands,) = [
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    ours = {
        flag
        for parser in commands.choices.values()
        for action in parser._actions
        for flag in action.option_strings
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    assert named - ours == FLAGS_OF_VLLM


def test_every_command_it_shows_parses() -> None:
    shown = re.findall(r"^ +regionforge (.+)", README.replace("\\\n", " "), re.MULTILINE)
    assert shown
    for command in shown:
        _, unknown = make_parser().parse_known_args(shlex.split(command))
        assert unknown == []
