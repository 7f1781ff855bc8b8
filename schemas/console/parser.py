"""The parser of command lines, whose errors are plain sentences, with the names that were meant.

regionforge buidl                error: there is no command 'buidl'; did you mean build?
regionforge verify /x --wrokers  error: there is no flag --wrokers; did you mean --workers?
regionforge verify               error: OUTPUT is missing; see `regionforge verify --help`
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from schemas.console.output import result_console
from schemas.errors import UsageError
from schemas.near import near

_SHOWN = 200  # characters of a word of the command line
_KINDS: dict[Any, str] = {int: "a whole number", float: "a number"}
# The sentences of argparse, and ours.
_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(theirs, re.DOTALL), ours)
    for theirs, ours in (
        (r"the following arguments are required: (.*)", r"\1 is missing"),
        (r"one of the arguments (.*) is required", r"one of these flags is missing: \1"),
        (r"argument (\S+): not allowed with argument (\S+)", r"\1 and \2: give one of them"),
        (r"argument (\S+): expected one argument", r"\1: its value is missing"),
        (r"argument (\S+): expected at least one argument", r"\1: its value is missing"),
        (r"argument (\S+): ignored explicit argument (.*)", r"\1 takes no value, but \2 is given"),
        (r"argument (\S+): (.*)", r"\1: \2"),
    )
)


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors as `UsageError`, and knows no part of a flag."""

    def __init__(self, *, takes_others: bool = False, **options: Any) -> None:
        """Make a parser.

        Args:
            takes_others: whether flags that are not declared are left to the caller.
            options: as `argparse.ArgumentParser` takes them.
        """
        super().__init__(**{"allow_abbrev": False, **options})
        self._words: Sequence[str] = ()
        self.color = False  # Python 3.14's help has colours, which its readers may not take
        self._takes_others = takes_others

    def parse_known_args(  # type: ignore[override] # typeshed has it as two overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse a command line; words that are left over are errors unless others take them."""
        self._words = sys.argv[1:] if args is None else args
        parsed, others = super().parse_known_args(args, namespace)
        if others and not self._takes_others and not self._subparsers:
            raise UsageError(self.unknown(others[0]))
        return parsed, others

    def unknown(self, word: str) -> str:
        """Return what to say of a word that is no flag of this command."""
        if not word.startswith("-"):
            return f"{self.prog}: {word[:_SHOWN]!r} is not expected here{self._see_help()}"
        flag = word.partition("=")[0][:_SHOWN]
        meant = self._meant(flag)
        nearest = f"; did you mean {meant}?" if meant else self._see_help()
        return f"there is no flag {flag}{nearest}"

    def _meant(self, flag: str) -> str | None:
        """Return the flag that is like a flag that is not declared, if there is one."""
        flags = [name[2:] for name in self._option_string_actions if name.startswith("--")]
        is_known = flag in self._option_string_actions or not flag.startswith("--")
        meant = [] if is_known else get_close_matches(flag[2:], flags, n=1)
        return f"--{meant[0]}" if meant else None

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with a plain sentence."""
        unrecognized = "unrecognized arguments: "
        if message.startswith(unrecognized):
            raise UsageError(self.unknown(message.removeprefix(unrecognized).split()[0]))
        if "required" in message:
            for word in self._words:
                if self._meant(word.partition("=")[0]):  # what is missing is misspelt
                    raise UsageError(self.unknown(word))
        for theirs, ours in _SENTENCES:
            if match := theirs.fullmatch(message):
                message = match.expand(ours)
                break
        raise UsageError(message + (self._see_help() if message.endswith("missing") else ""))

    def _see_help(self) -> str:
        return f"; see `{self.prog} --help`"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):
            raise UsageError(f"there is no command {value[:_SHOWN]!r}; {near(value, known)}")
        name = argparse._get_action_name(action)
        shown = ", ".join(known)
        meant = get_close_matches(str(value), known, n=1)
        nearest = f"; did you mean {meant[0]}?" if meant else ""
        one_of = "one of " if len(known) > 1 else ""
        text = repr(str(value)[:_SHOWN])
        raise UsageError(f"{name}: expected {one_of}{shown}, not {text}{nearest}")

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        convert: Callable[[str], Any] = self._registry_get("type", action.type, action.type)
        if convert not in _KINDS:
            return super()._get_value(action, text)
        try:
            return convert(text)
        except ValueError:
            name = argparse._get_action_name(action)
            shown = repr(text[:_SHOWN])
            raise UsageError(f"{name}: expected {_KINDS[convert]}, not {shown}") from None

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            result_console().print(message.removesuffix("\n"), soft_wrap=True)
