"""The command `completion`, which prints what makes a shell complete commands, flags and files."""

import argparse
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from shlex import quote

from pipelines.cli import parser
from pipelines.cli.command import Commands, add_command
from regionforge import demo
from schemas.console import Parser, result_console
from train.cli import make_parser as make_train_parser

_FOLDERS, _FILES = "@folders", "@files"
_FOLDER = re.compile(r"DIR|OUTPUT|BEFORE|NOW|RUN")  # in metavars, a part of their words
_FILE = re.compile(r"FILE|PATH|PREDICTIONS")
_SCRIPT = """\
# Completes the words of regionforge in bash, and in zsh after compinit.
_regionforge() {{
    local command=${{COMP_WORDS[1]}} word=${{COMP_WORDS[COMP_CWORD]}}
    local flag=${{COMP_WORDS[COMP_CWORD-1]}} flags= rest= offered=
    if [[ $word == = ]]; then
        word=
    elif [[ $flag == = ]]; then
        flag=${{COMP_WORDS[COMP_CWORD-2]}}  # --flag=word, or --flag name=word
        [[ $flag == -* ]] || flag=${{COMP_WORDS[COMP_CWORD-3]}}
    fi
    case $command in
{commands}
    esac
    if ((COMP_CWORD == 1)); then
        offered={names}
    else
        case "$command $flag" in
{values}
            *) [[ $word == -* ]] && offered=$flags || offered=${{rest:-$flags}} ;;
        esac
    fi
    case $offered in
        @*)
            local IFS=$'\\n' kind=-f
            [[ $offered == @folders ]] && kind=-d
            compopt -o filenames 2> /dev/null
            COMPREPLY=($(compgen $kind -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$offered" -- "$word")) ;;
    esac
}}
if [[ -n ${{ZSH_VERSION-}} ]]; then
    autoload -Uz bashcompinit && bashcompinit
    complete -o filenames -F _regionforge regionforge
else
    complete -F _regionforge regionforge
fi"""


def main(argv: Sequence[str]) -> None:
    """Run the command line of the completion, from the word `completion` on, and exit."""
    parser.main(argv, (add_parser,))


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    add_command(
        commands,
        run,
        "completion",
        "Print what makes bash or zsh complete commands, flags and names of files.",
        "completion",
    )


def run(args: Namespace) -> int:
    """Print the script; return the exit status."""
    result_console().print(completion(), soft_wrap=True)
    return 0


def completion() -> str:
    """Return the script by which bash and zsh complete the words of all commands."""
    parsers = _parsers()
    return _SCRIPT.format(
        commands="\n".join(_flags_of(name, parsers[name]) for name in sorted(parsers)),
        names=quote(" ".join(["--help", "--version", *sorted(parsers)])),
        values="\n".join(line for name in sorted(parsers) for line in _values(name, parsers[name])),
    )


def _flags_of(name: str, command: Parser) -> str:
    """Return the line of the script about a command's flags, and about its other words."""
    flags = sorted(flag for action in command._actions for flag in action.option_strings)
    others = [_offered(action) for action in command._actions if not action.option_strings]
    rest = next(filter(None, others), "")
    return f"        {name}) flags={quote(' '.join(flags))} rest={quote(rest)} ;;"


def _values(name: str, command: Parser) -> Iterator[str]:
    """Yield the lines of the script about the values of a command's flags."""
    for action in command._actions:
        if action.option_strings and action.nargs != 0:
            words = "|".join(quote(f"{name} {flag}") for flag in action.option_strings)
            yield f"            {words}) offered={quote(_offered(action))} ;;"


def _parsers() -> dict[str, Parser]:
    """Return the parser of each command, by its name."""
    data = parser.make_parser((*parser.COMMANDS, demo.add_parser, add_parser))
    return {
        name: command
        for whole in (data, make_train_parser())
        for action in whole._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, command in action.choices.items()
    }


def _offered(action: argparse.Action) -> str:
    """Return what is offered as the value of a flag or argument: words, files or folders."""
    if action.choices is not None:
        return " ".join(map(str, action.choices))
    metavar = str(action.metavar or "")
    return _FILES if _FILE.search(metavar) else _FOLDERS if _FOLDER.search(metavar) else ""
