"""The command line `regionforge`: one table of all commands, each imported when it is called.

`python -m regionforge` is the same. What a command's function is given are the words of the command
line from the command's name on; it runs the command and exits.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn


class Command(NamedTuple):
    """A command: the function that runs it, and the line about it in `--help`."""

    function: str  # as module:function
    line: str


_DATA = "pipelines.cli.parser:main"

COMMANDS = {
    "sources": Command(
        _DATA,
        "Say which sources can be read; with names, which files are there, and where to get them.",
    ),
    "validate": Command(
        _DATA, "Say what is wrong with recipes, each fault with its line, without reading data."
    ),
    "build": Command(_DATA, "Build instruction shards. Flags not listed here go to Beam."),
    "recap": Command(
        _DATA, "Caption the regions of a source in detail, and keep the captions that fit."
    ),
    "calibrate": Command(
        _DATA,
        "Find the CLIP similarity that tells captions of a crop from captions of another one.",
    ),
    "wordings": Command(
        _DATA, "Ask a chat model for new wordings of a request, in a file for --wordings."
    ),
    "verify": Command(_DATA, "Re-read a whole build and name all that is wrong with it."),
    "preview": Command(
        _DATA, "Show some records of a build, chosen by hash, in the terminal or as an HTML page."
    ),
    "info": Command(
        _DATA,
        "Show the figures of a build: records, sizes, words, categories; or a record by its id.",
    ),
    "diff": Command(
        _DATA, "Show what differs between two builds: sources, records, fields, categories."
    ),
    "export": Command(
        _DATA, "Write a build in the format of another trainer or tool, and say what that loses."
    ),
    "subset": Command(_DATA, "Take some records out of a build, as an output of their own."),
    "merge": Command(_DATA, "Unite finished builds to one output, without their owners' files."),
    "report": Command(
        _DATA, "Show an output as offline HTML: statistics, records, and captions to judge by key."
    ),
    "push": Command(
        _DATA, "Publish a build, or an export of one, as a data set on the Hugging Face Hub."
    ),
    "new-source": Command(
        _DATA,
        "Write the files that a source of your own begins with: module, test, small data root.",
    ),
    "check-source": Command(
        _DATA, "Try the rules that all sources keep on one of your own, with a few of its files."
    ),
    "sample-world": Command(
        _DATA, "Draw pictures of coloured shapes, with annotations in the owners' formats."
    ),
    "checks": Command(
        _DATA, "Say what this installation has: versions, extras, processors, free disk, GPU."
    ),
    "train": Command(
        "train.cli:main", "Train a model on the shards of a build, or go on with a run."
    ),
    "evaluate": Command(
        "train.cli:main",
        "Evaluate a model on an evaluation build, or score a file of predictions.",
    ),
    "train-bench": Command(
        "train.cli:main",
        "Measure the speed of training with random weights, beside that of plain library code.",
    ),
    "chat": Command("train.cli:main", "Talk with a trained model about a picture and its regions."),
    "answer": Command(
        "train.cli:main",
        "Put many questions about regions to a trained model, and write its answers.",
    ),
    "serve": Command(
        "regionforge.serving:main",
        "Serve a trained model by OpenAI's protocol, with regions in its requests.",
    ),
    "judge": Command(
        _DATA, "Have a model judge answers about regions, for the benchmarks that need it."
    ),
    "demo": Command(
        "regionforge.demo:main",
        "Draw a small world, build it, caption it, verify it and show it; train a tiny model.",
    ),
    "completion": Command(
        "regionforge.completion:main",
        "Print what makes bash or zsh complete commands, flags and names of files.",
    ),
}

_EXAMPLES = """\
examples:
  regionforge demo
  regionforge build --help    # a command's flags"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command that is the first word of a command line, and exit."""
    from schemas.process import run_process  # not before the current folder was left

    words = list(sys.argv[1:] if argv is None else argv)
    run_process(lambda: _run(_as_flag(words)))


def _run(words: list[str]) -> int:
    if not words or words[0] not in COMMANDS:
        _explain(words)
    # Importing makes many objects and no rubbish: without searches for it, a start takes a sixth
    # less time.
    gc.set_threshold(500_000, 50, 100)
    from schemas.console.libraries import libraries_held_back

    module, _, function = COMMANDS[words[0]].function.partition(":")
    verbose = not {"-v", "--verbose"}.isdisjoint(words)
    with nullcontext() if verbose else libraries_held_back():
        getattr(import_module(module), function)(words)
    return 0  # never: the command exits


def _as_flag(words: list[str]) -> list[str]:
    """Return `help` and `help COMMAND` as `--help` and `COMMAND --help`."""
    return [*words[1:], "--help"] if words[:1] == ["help"] else words


def _explain(words: Sequence[str]) -> NoReturn:
    """Print the help, the version, or what is wrong with words that begin with no command."""
    from pipelines import VERSION
    from schemas.console import EXIT_STATUSES, Parser, failure
    from schemas.errors import UsageError

    parser = Parser(
        prog="regionforge",
        description="Region-level instruction data from public data sets, and models.",
        epilog=f"{_EXAMPLES}\n\n{EXIT_STATUSES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"regionforge {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.line)
    named = [word for word in words if word in COMMANDS]
    try:
        if named and words[0] not in ("--help", "-h", "--version"):
            raise UsageError(f"the command comes first: regionforge {named[0]} {words[0]}")
        parser.parse_args(words)
        raise UsageError("a command is missing; see `regionforge --help`")
    except UsageError as error:
        sys.exit(failure(error))


def _leave_the_current_folder() -> None:
    """Import nothing from the current folder, where packages of the same names may lie.

    `python -m` puts it in front of all others. It stays where this package itself is in it.
    """
    home = Path(__file__).resolve().parent.parent
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != home:
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_current_folder()
    main()
