"""The completion of shells: the script is run by the shells that it is for."""

import os
import pty
import re
import shutil
import subprocess
from select import select

import pytest

from pipelines.cli.parser import run
from pipelines.export.names import FORMATS
from regionforge.__main__ import COMMANDS
from regionforge.completion import add_parser, completion

# Has bash complete the last of its arguments, and prints all that it offers.
OFFERED = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function=$(complete -p regionforge); function=${function#*-F }
${function% *}
printf '%s\\n' "${COMPREPLY[@]}"
"""
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'"),
    "zsh": (["zsh", "-f", "-i"], "unsetopt beep; autoload -Uz compinit; compinit -D -u"),
}
READY = "ready>"  # as the shells print it; what is typed is echoed
TYPED = {  # what is typed, and the words that the program is called with
    "exp\t": "(export)",
    "build --reb\t": "(build)(--rebuild)",
    "export --format llam\t": "(export)(--format)(llamafactory)",
    "chat --image a\t --region 1": "(chat)(--image)(a cat.jpg)(--region)(1)",
}
TYPED_IN_BASH = {"verify --image-root=ph\t": "(verify)(--image-root=photos/)"}
PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with files and folders, beside the script."""
    folder = tmp_path_factory.mktemp("completion") / "here"
    (folder / "photos").mkdir(parents=True)
    (folder / "a cat.jpg").touch()
    (folder / "export").mkdir()  # a folder that is named as a command
    (folder.parent / "script").write_text(completion(), encoding="utf-8")
    return folder


@pytest.fixture
def offered(folder):
    """What bash offers for the last of some words."""

    def words(*typed: str) -> list[str]:
        command = ["bash", "--norc", "-c", OFFERED, "bash", "../script", "regionforge", *typed]
        shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert shown.stderr == ""
        return sorted(shown.stdout.splitlines())

    return words


def test_all_commands_are_offered(offered):
    assert set(offered("")) == {*COMMANDS, "--help", "--version"}
    assert offered("exp") == ["export"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("build", "--reb"), ["--rebuild"]),
        (("train", "--max-st"), ["--max-steps"]),
        (("export", "--format", "l"), ["llamafactory", "llava"]),
        (("export", "--format", "="), sorted(FORMATS)),
        (("chat", "--image", ""), ["a cat.jpg", "export", "photos"]),
        (("build", "--coco-annotations", "train", "=", "ph"), ["photos"]),
        (("verify", ""), ["export", "photos"]),
        (("build", "--output", "ph"), ["photos"]),
        (("build", "--seed", ""), [""]),
        (("nonsense", ""), [""]),
    ],
)
def test_words_of_a_command(offered, words, expected):
    assert offered(*words) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_words(shell, folder):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} is installed")
    command, line = SHELLS[shell]
    first = (
        f"{line}; source ../script; PS1=; PROMPT_COMMAND=",
        "regionforge() { printf '(%s)' \"$@\"; printf 'r''eady>'; }; regionforge",
    )
    words = TYPED | (TYPED_IN_BASH if shell == "bash" else {})
    shown = typed(command, folder, (*first, *(f"regionforge {each}" for each in words)))
    assert shown == ["()", *words.values()]


def typed(command: list[str], folder, lines: tuple[str, ...]) -> list[str]:
    """Type lines into a shell on a terminal; return the words that each is run with."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = []
        try:
            os.write(ours, f"{lines[0]}\n".encode())
            for line in lines[1:]:
                os.write(ours, f"{line}\n".encode())
                text = ""
                while READY not in text:
                    assert select([ours], [], [], PATIENCE)[0], text
                    text += os.read(ours, 4096).decode()
                shown += re.findall(rf"((?:\([^()]*\))+){READY}", text)
        finally:
            process.kill()
            os.close(ours)
    return shown


def test_the_command_prints_the_script_as_it_is(capsys):
    assert run(["completion"], (add_parser,)) == 0
    assert capsys.readouterr().out == completion() + "\n"
