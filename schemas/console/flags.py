"""The flags about output, which all commands share, and what they do while a command runs."""

import argparse
import logging
import shlex
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.console.log_file import LogFile
from schemas.console.output import detail, notice
from schemas.console.parser import Parser
from schemas.console.settings import SETTINGS, Settings

OUTPUT_FLAGS = frozenset({"quiet", "verbose", "log_file", "json"})
_PACKAGES = frozenset(
    {"schemas", "prompts", "transforms", "pipelines", "model", "train", "regionforge"}
)
_ROOT = Path(__file__).parents[2]  # the folder of these packages


def output_flags(*, json: bool = False) -> Parser:
    """Return the parent of every command's parser, which declares the flags about output.

    Args:
        json: whether the command can write its result as JSON.
    """
    parent = Parser(add_help=False)
    group = parent.add_argument_group("what is printed")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument(
        "-q", "--quiet", action="store_true", help="print only errors and the final result"
    )
    amount.add_argument(
        "-v", "--verbose", action="store_true", help="print details, and the logs of libraries"
    )
    group.add_argument(
        "--log-file",
        metavar="FILE",
        help="add all that is printed, and all details, to a file, with times and without keys",
    )
    if json:
        group.add_argument(
            "--json", action="store_true", help="print the result as JSON, and no other on stdout"
        )
    return parent


@contextmanager
def output_as(args: argparse.Namespace, words: Sequence[str]) -> Iterator[None]:
    """Print as the flags of a command line say, while its command runs in the block.

    Args:
        args: the parsed command line.
        words: the command line, for the log file.

    Raises:
        UsageError: the log file cannot be written.
    """
    before = Settings(**vars(SETTINGS))
    log = LogFile(args.log_file) if args.log_file else None
    now = Settings(args.quiet, args.verbose, getattr(args, "json", False), log)
    vars(SETTINGS).update(vars(now))
    if log:
        log.write(f"$ {shlex.join(['regionforge', *words])}")
    try:
        with _library_logs(wanted=args.verbose or log is not None), _warnings():
            yield
    except BaseException:
        if log:
            log.write(traceback.format_exc())
        raise
    finally:
        vars(SETTINGS).update(vars(before))
        if log:
            log.close()


def output_words() -> list[str]:
    """Return the flags about output that hold now as words, for a command that runs others."""
    words = [f"--{name}" for name in ("quiet", "verbose") if getattr(SETTINGS, name)]
    return [*words, "--log-file", SETTINGS.log.path] if SETTINGS.log else words


class _LogHandler(logging.Handler):
    """A handler of log records: those of libraries are details."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line."""
        ours = record.name.partition(".")[0] in _PACKAGES
        important = record.levelno >= (logging.WARNING if ours else logging.CRITICAL)
        text = self.format(record)
        if important:
            notice(text)
        else:
            detail(f"{record.name}: {text}")


@contextmanager
def _library_logs(*, wanted: bool) -> Iterator[None]:
    """Have the records of all loggers printed, those of libraries where they are wanted."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, sorted(_PACKAGES))]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        least = logging.CRITICAL if logger is root else logging.WARNING
        logger.setLevel(logging.INFO if wanted else least)
    handler = _LogHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _warnings() -> Iterator[None]:
    """Have warnings printed: ours as notices, those of libraries as details."""
    before = warnings.showwarning
    warnings.showwarning = _show_warning
    try:
        yield
    finally:
        warnings.showwarning = before


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any
) -> None:
    path = Path(filename)
    ours = path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _PACKAGES
    if ours and issubclass(category, UserWarning):
        notice(("warning: ", "yellow"), str(message))
    else:
        detail(f"{filename}: {category.__name__}: {message}")
