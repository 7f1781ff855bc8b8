"""The front door: one table of all commands, and names that are imported when they are used."""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import regionforge
from pipelines import VERSION
from pipelines.cli.parser import make_parser
from regionforge import completion, demo
from regionforge.__main__ import COMMANDS, main
from schemas.errors import UsageError
from train.cli import make_parser as train_parser

CHECKOUT = Path(__file__).resolve().parents[2]
ORIGINS = regionforge._ORIGINS
HEAVY = ("PIL", "apache_beam", "datasets", "grpc", "openai", "pyarrow", "torch", "transformers")


@pytest.fixture(autouse=True)
def usual_exit(monkeypatch):
    """Makes a command end as usual, also where other tests have left threads in this process."""
    monkeypatch.setattr("os._exit", sys.exit)


def lines_of(parser: argparse.ArgumentParser) -> dict[str, str | None]:
    """The line about each command of a parser."""
    (group,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {choice.dest: choice.help for choice in group._choices_actions}


def imported_by(program: str) -> list[str]:
    """The heavy libraries that a program imports, which may end with `SystemExit`."""
    code = (
        f"import sys\ntry:\n    {program}\nexcept SystemExit: pass\n"
        f"print('imported:', *sorted(set({HEAVY}) & sys.modules.keys()))"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True)
    return shown.splitlines()[-1].split()[1:]


def test_the_table_lists_every_command_of_both_towers_and_its_own():
    lines = lines_of(make_parser()) | lines_of(train_parser())
    lines |= lines_of(make_parser((demo.add_parser, completion.add_parser)))
    assert {name: command.line for name, command in COMMANDS.items()} == lines


def test_the_script_and_the_module_are_the_same():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"regionforge": "regionforge.__main__:main"}
    shown = subprocess.check_output([sys.executable, "-m", "regionforge", "--version"], text=True)
    assert shown == f"regionforge {VERSION}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_reached_by_its_name(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: regionforge {name} ")
    assert re.search(rf"\n  regionforge {name}\b", shown.partition("\nexample")[2])


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["help"], ["--help"]),
        (["help", "build"], ["build", "--help"]),
        (["help", "chat"], ["chat", "--help"]),
    ],
)
def test_help_is_a_command_too(words, flags, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(flags)
    assert shown == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["help", "bild"], "there is no command 'bild'; did you mean build?"),
        ([], "COMMAND is missing; see `regionforge --help`"),
        (["bild"], "there is no command 'bild'; did you mean build?"),
        (["xyz"], f"there is no command 'xyz'; expected one of {', '.join(COMMANDS)}"),
        (["--frobnicate"], "COMMAND is missing; see `regionforge --help`"),
        (["--", "build"], "the command comes first: regionforge build --"),
        (["--quiet", "build"], "the command comes first: regionforge build --quiet"),
    ],
)
def test_words_that_begin_with_no_command_are_refused(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"error: {message}\n")


def test_help_and_names_cost_no_import():
    assert imported_by("from regionforge.__main__ import main; main(['--help'])") == []
    assert imported_by("from regionforge.__main__ import main; main(['demo', '--help'])") == []
    assert imported_by("from regionforge.__main__ import main; main(['train', '--help'])") == []
    assert imported_by("from regionforge.__main__ import main; main(['evaluate', '--help'])") == []
    assert imported_by("import regionforge; dir(regionforge)") == []
    assert imported_by("import regionforge; regionforge.SCHEMA") == ["pyarrow"]


def test_every_name_is_there():
    assert ORIGINS.keys() == {*regionforge.__all__}
    assert dir(regionforge) == sorted(regionforge.__all__)
    for name in regionforge.__all__:
        assert getattr(regionforge, name) is not None
    assert regionforge.__version__ == VERSION
    with pytest.raises(AttributeError, match="module 'regionforge' has no attribute 'sparkle'"):
        regionforge.sparkle  # noqa: B018


def test_without_the_extra_the_models_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    of_models = [name for name, origin in ORIGINS.items() if origin.startswith("model.")]
    assert len(of_models) > 5
    for name in of_models:
        monkeypatch.delitem(vars(regionforge), name, raising=False)  # kept since its first use
        with pytest.raises(UsageError) as missing:
            getattr(regionforge, name)
        assert str(missing.value) == f"regionforge.{name} needs: pip install 'regionforge[train]'"


def test_without_the_extra_train_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(SystemExit) as ended:
        main(["train", "--recipe", "x", "--shards", "x", "--output", "x"])
    assert ended.value.code == 2
    message = "error: regionforge train needs: pip install 'regionforge[train]'\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("path", ["s3://x", "gs://bucket/world", ""])
def test_the_demo_is_shown_on_this_machine(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--output", path])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {path!r}: expected a folder of this machine\n"
    assert list(tmp_path.iterdir()) == []


def test_the_demo_passes_nothing_to_beam(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--output", str(tmp_path / "x"), "--job_name=mine"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: there is no flag --job_name; see")
    assert list(tmp_path.iterdir()) == []


def test_without_an_extra_the_demo_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(SystemExit):
        main(["demo", "--output", str(tmp_path / "x")])
    message = "error: regionforge demo needs: pip install 'regionforge[clip]'\n"
    assert capsys.readouterr().err == message
    assert list(tmp_path.iterdir()) == []
