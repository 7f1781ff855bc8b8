"""Every command that README, its pages and `--help` show works as typed, from anybody's folder.

In that folder lie packages that are named like ours. What is typed changes in these ways only:

- /data is the sample world, and other paths from the root are below a temporary folder;
- the server is a stub;
- four worker processes are two;
- the drawn categories of COCO and LVIS get the names of their label sets, which a user's file that
  is not the owner's needs too.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.cli.parser import make_parser
from pipelines.recipes.load import load_recipe
from pipelines.sample_world import SOURCES
from prompts.catalog import WORDING_SETS
from regionforge import completion, demo
from regionforge.__main__ import COMMANDS
from tests.pages import ALL
from train.cli import make_parser as make_train_parser

CHECKOUT = Path(__file__).resolve().parents[2]
SERVER = "http://gpu:8000/v1"
ALSO_SERVER = "http://localhost:8000/v1"

# Commands that are only parsed here, by what they need.
ONLY_PARSED = {
    "--public": "an account of the Hub",
    "--serve": "vLLM",
    "--clip-weights openai": "weights from the network",
    "--language lmsys/vicuna-7b-v1.5": "weights from the network",
    "--bench ": "answers of a model, and the owners' questions",
    "--checkpoint runs/a": "what the training before has made of them",
    "--marks marks.json": "what people think of captions",
    "--predictions theirs.jsonl": "a model's answers",
    "--job_endpoint": "a job server of Beam",
    "--judge-model": "a model that judges",
    "--views region": "a model with region tokens",
    "s3://": "a store",
    "gs://": "a store",
    "train-bench ": "a GPU, or a minute of a processor",
}
# Commands that read what others have written.
READERS = {
    *("verify", "preview", "info", "diff", "report", "export", "subset", "merge"),
    *("check-source", "push"),
}
# The demonstration is run by test_demo.py, in such a folder too, completion by test_completion.py.
ELSEWHERE = {"demo --output demo_output", "completion"}


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    found: dict[str, argparse.ArgumentParser] = {}
    ours = make_parser((demo.add_parser, completion.add_parser))
    for parser in (make_parser(), ours, make_train_parser()):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= action.choices
    return found


def examples(text: str) -> Iterator[str]:
    """Yield the commands in a text, from the word after `regionforge` on."""
    whole = re.sub(r"\\\n\s*", "", text)
    for line in re.findall(r"^ +regionforge (.+)$", whole, re.MULTILINE):
        yield " ".join(line.split())


def shown_commands() -> list[str]:
    """Every command that README, its pages and the help of each command show, once each."""
    texts = [ALL]
    texts += [parser.format_help().partition("\nexample")[2] for parser in parsers().values()]
    return list(dict.fromkeys(line for text in texts for line in examples(text)))


def needs(line: str) -> list[str]:
    """What a command needs that is not here."""
    return [what for flag, what in ONLY_PARSED.items() if flag in line]


def label_sets(line: str) -> list[str]:
    """The flags that name the label sets of drawn categories."""
    args = make_parser().parse_known_args(shlex.split(line))[0]
    if args.command != "build" or args.label_set:
        return []
    names = (
        [source["name"] for source in load_recipe(args.recipe)["sources"]]
        if args.recipe
        else (args.source_names.split(","))
    )
    named = [name for name in names if SOURCES.get(name)]
    flags = [f"--label-set={name}={SOURCES[name]}" for name in named]
    asking = args.recipe == "region_questions"
    return flags + [f"--complete={name}" for name in named if asking and name in ("coco", "lvis")]


def step(line: str) -> int:
    """When a command can be run: it needs what those of earlier steps write."""
    name = line.split()[0]
    if name == "build" and "--dry-run" not in line:
        return 1
    return 2 if name in READERS else 0


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of a stub of a model that captions pictures and words requests anew."""
    script = tmp_path_factory.mktemp("server") / "script.json"
    holders = " and ".join(WORDING_SETS["recap_region"].placeholders)
    lines = [f"Say it all in {number} words, {holders}." for number in range(20, 30)]
    rules = [{"match": "^$", "answer": "\n".join(lines)}]  # requests without an id: of `wordings`
    script.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    command = [sys.executable, "-m", "bench.stub_server", "--script", str(script)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=CHECKOUT) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.kill()


OWN_FILES = (("boxes", "photos", "train"), ("a", "a", "train"), ("b", "b", "val"))


def lay_out_own_files(folder: Path, coco: Path) -> None:
    """Make a user's own files and pictures, as the shown commands name them."""
    annotations = coco / "annotations"
    for name, pictures, split in OWN_FILES:
        shutil.copy(annotations / f"instances_{split}2017.json", folder / f"{name}.json")
        (folder / pictures).symlink_to(coco / f"{split}2017")
    export = folder / "toys-export" / "train"  # as Roboflow lays it out
    shutil.copytree(coco / "train2017", export)
    shutil.copy(annotations / "instances_train2017.json", export / "_annotations.coco.json")


@pytest.fixture(scope="module")
def run_shown(run_there, foreign_folder, sample_world, server, tmp_path_factory):
    """Runs commands as they are shown, side by side; returns what went wrong, by command."""
    root = tmp_path_factory.mktemp("root")
    (root / "data").symlink_to(sample_world)
    lay_out_own_files(foreign_folder, sample_world / "coco")

    def run_one(line: str, command: list[str] | None) -> str:
        there = line.replace(SERVER, server).replace(ALSO_SERVER, server)
        there = there.replace("--workers 4", "--workers 2")
        words = [f"{root}{word}" if word.startswith("/") else word for word in shlex.split(there)]
        done = run_there(*words, *label_sets(line), command=command)
        return f"exit status {done.returncode}: {done.stderr}" if done.returncode else ""

    def run(lines: list[str], command: list[str] | None = None) -> dict[str, str]:
        with ThreadPoolExecutor(2) as pool:
            ends = pool.map(run_one, lines, [command] * len(lines))
            return {line: end for line, end in zip(lines, ends, strict=True) if end}

    return run


def test_the_commands_are_those_that_are_shown():
    lines = shown_commands()
    assert {line.split()[0] for line in lines} == COMMANDS.keys()
    assert set(lines) >= ELSEWHERE
    for flag in ONLY_PARSED:
        assert any(flag in line for line in lines), f"{flag}: no command needs it any more"


@pytest.mark.parametrize("line", shown_commands())
def test_every_shown_command_parses(line):
    name, *words = shlex.split(line)
    _, unknown = parsers()[name].parse_known_args(words)
    assert unknown == [] or "--runner" in line  # whose flags are Beam's


@pytest.mark.timeout(900)  # 14 processes
def test_every_shown_command_works_from_a_folder_with_foreign_packages(
    run_shown, foreign_folder, console_script
):
    lines = [line for line in shown_commands() if not needs(line) and line not in ELSEWHERE]
    for number in range(3):
        assert run_shown([line for line in lines if step(line) == number]) == {}
    assert {"preview.html", "my_wordings.yaml"} <= {path.name for path in foreign_folder.iterdir()}
    # The script itself works there, and the module too, with its worker processes.
    assert run_shown(["info /shards"], console_script) == {}
    module = [sys.executable, "-m", "regionforge"]
    assert run_shown(["verify /shards --workers 2"], module) == {}


def test_the_folder_would_break_a_module_that_is_run_there(run_there):
    # What the front door is for: a plain `python -m` imports what lies in the current folder.
    broken = run_there("--help", command=[sys.executable, "-m", "pipelines"])
    assert "the foreign pipelines was imported" in broken.stderr
