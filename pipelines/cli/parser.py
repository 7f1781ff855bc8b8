"""The parser of the command line, and the function that runs a command.

Each command is a module with `add_parser` and `run`. Modules that need Beam are imported only in
`run`, so that `--help` is fast. Flags that no command declares are passed to Beam; a flag that is
also unknown to Beam is an error. Commands that run no pipeline take Beam's flags for stores alone.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from pipelines import VERSION
from pipelines.cli import (
    build,
    calibrate,
    check_source,
    checks,
    diff,
    export,
    info,
    judge,
    merge,
    new_source,
    preview,
    push,
    recap,
    report,
    sample_world,
    sources,
    subset,
    validate,
    verify,
    wordings,
)
from pipelines.cli.command import Commands
from schemas import console
from schemas.errors import RegionForgeError, UsageError
from schemas.interruption import ending, exit_status
from schemas.process import run_process

Declarations: TypeAlias = Sequence[Callable[[Commands], None]]  # each declares a command

COMMANDS: Declarations = (
    sources.add_parser,
    validate.add_parser,
    build.add_parser,
    recap.add_parser,
    calibrate.add_parser,
    wordings.add_parser,
    verify.add_parser,
    preview.add_parser,
    info.add_parser,
    diff.add_parser,
    export.add_parser,
    subset.add_parser,
    merge.add_parser,
    report.add_parser,
    push.add_parser,
    judge.add_parser,
    sample_world.add_parser,
    new_source.add_parser,
    check_source.add_parser,
    checks.add_parser,
)


_RENAMED = {  # by command: flags that had another name, and today's
    "build": {"--without-recapd": "--no-recapd", "--without-boxes": "--no-box-share"},
    "wordings": {"--kind": "--set", "--n": "--count"},
}


def main(argv: Sequence[str] | None = None, declarations: Declarations = COMMANDS) -> NoReturn:
    """Run the command line and exit; errors of the user print a message without a traceback.

    Args:
        argv: the words of the command line, from the command's name on; None: of this process.
        declarations: the commands there are.
    """
    words = sys.argv[1:] if argv is None else argv
    run_process(lambda: run(words, declarations))


def run(argv: Sequence[str], declarations: Declarations = COMMANDS) -> int:
    """Run a command and return its exit status; see `main`."""
    try:
        _check_renamed(argv)
        args, others = make_parser(declarations).parse_known_args(argv)
        with console.output_as(args, argv):
            return _call(args, others)
    except (RegionForgeError, OSError) as error:
        return console.failure(error)
    except KeyboardInterrupt as interrupt:
        console.error(f"{ending(interrupt)}; what is finished is kept: run it again to go on")
        return exit_status(interrupt)


def make_parser(declarations: Declarations = COMMANDS) -> console.Parser:
    """Return the parser of all commands."""
    parser = console.Parser(
        prog="regionforge",
        description="Region-level instruction data from public data sets.",
        epilog=console.EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"regionforge {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add_parser in declarations:
        add_parser(commands)
    return parser


def _check_renamed(argv: Sequence[str]) -> None:
    """Raise `UsageError` for a flag that has another name today."""
    renamed = _RENAMED.get(argv[0], {}) if argv else {}
    for word in argv:
        flag = word.partition("=")[0]
        if flag in renamed:
            raise UsageError(f"unknown flag {flag}: its name is {renamed[flag]} now")


def _call(args: argparse.Namespace, others: list[str]) -> int:
    _take_beam_flags(args, others)
    args.beam_flags = others
    if not (named := getattr(args, "source_module", None)):
        return int(args.run(args))
    from pipelines.datasets.others import named_modules

    with named_modules(named):
        return int(args.run(args))


def _take_beam_flags(args: argparse.Namespace, others: Sequence[str]) -> None:
    """Check the words that are no flags of ours, which go to Beam, and open stores by them.

    A command that runs no pipeline and has none does not import Beam, which takes a second.
    """
    from pipelines.storage.store_client import flags_may_hold

    runs_pipeline = hasattr(args, "runner")
    if not (runs_pipeline or others or flags_may_hold()):
        return
    from pipelines.runner.beam_flags import (
        check_beam_flags,
        check_store_flags,
        open_remote_files,
    )

    (check_beam_flags if runs_pipeline else check_store_flags)(others, args.unknown)
    open_remote_files(others)
