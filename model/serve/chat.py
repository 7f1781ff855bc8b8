"""A talk on a terminal: lines are questions, and answers come word by word.

A line that begins with a slash is for the program: `/new` begins a new talk about the same picture,
`/regions` lists the regions, and `/quit` ends.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from model.errors import InputError
from model.regions import Region
from model.serve.opened import Talk
from schemas import console
from schemas.errors import RegionForgeError

_COMMANDS = "/new begins a new talk, /regions lists the regions, /quit ends"


def converse(
    begin: Callable[[], Talk], lines: Iterable[str], described: Sequence[str], *, strict: bool
) -> None:
    """Answer questions until there are no more.

    Args:
        begin: begins a talk.
        lines: the questions, and commands.
        described: a line about each region.
        strict: raise the error of a question that cannot be answered, else print it and go on.

    Raises:
        RegionForgeError: with `strict`, a question cannot be answered.
    """
    talk = begin()
    for line in lines:
        word = line.strip()
        try:
            if word == "/quit":
                return
            if word == "/new":
                talk = begin()
                console.notice("a new talk")
            elif word == "/regions":
                _list(described)
            elif word.startswith("/"):
                raise InputError(f"there is no command {word[:30]!r}: {_COMMANDS}")
            elif word:
                _answer(talk, word)
        except RegionForgeError as error:
            if strict:
                raise
            console.failure(error)


def typed_lines() -> Iterator[str]:
    """Yield the lines of standard input, with a prompt before each on a terminal.

    Raises:
        InputError: they are no text in UTF-8, or what the terminal's encoding is.
    """
    try:
        yield from _typed() if sys.stdin.isatty() else sys.stdin
    except UnicodeDecodeError as error:
        raise InputError(f"the questions are no text in {error.encoding.upper()}") from error


def _typed() -> Iterator[str]:
    shown = console.Console(stderr=True, shown=True)
    while True:
        try:
            yield shown.input("> ")
        except EOFError:
            shown.line()
            return


def greet(described: Sequence[str]) -> None:
    """Print what a user of a terminal needs to know."""
    _list(described)
    console.notice(f"ask, and name regions as region1, region2, ...; {_COMMANDS}")


def description(region: Region) -> str:
    """Return a few words on a region of the command line: `box 12, 30, 200, 310`, or `mask`."""
    box = region.get("bbox") if isinstance(region, dict) else region
    masked = isinstance(region, dict) and ("counts" in region or region.get("mask") is not None)
    if masked or not isinstance(box, tuple):
        return "mask"
    return f"box {', '.join(f'{number:g}' for number in box)}"


def _list(described: Sequence[str]) -> None:
    for number, words in enumerate(described, start=1):
        console.notice(f"region{number}: {words}")
    if not described:
        console.notice("no regions: questions are about the whole picture")


def _answer(talk: Talk, question: str) -> None:
    """Print an answer: as it comes on a terminal, and elsewhere as a line when it is whole."""
    shown = console.result_console()
    if not shown.is_terminal:
        console.result(talk.ask(question))
        return
    answer = talk.ask(question, on_text=shown.write)
    shown.line()
    shown.print(answer, logged_only=True)
