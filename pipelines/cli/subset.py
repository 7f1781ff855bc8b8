"""The command `subset`, which takes some records out of a build."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from pipelines.cli.new_output import add_output_flag, counted_rows, print_output
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "subset",
        "Take some records out of a build, as an output of their own.",
        "subset /shards --splits train --limit 20 --output /few",
        json=True,
    )
    parser.add_argument("origin", metavar="OUTPUT", help="the folder of a build")
    parser.add_argument("--sources", metavar="A,B", help="take only records of these sources")
    parser.add_argument("--splits", metavar="A,B", help="take only records of these splits")
    parser.add_argument(
        "--tasks", metavar="A,B", help="take only records all of whose turns are of these tasks"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="take at most N images of each split, by hash"
    )
    parser.add_argument(
        "--ids",
        metavar="FILE",
        help="take only records whose ids are in a file, one a line, or as `diff --list` writes it",
    )
    add_output_flag(parser)


def run(args: Namespace) -> int:
    """Take records out of a build; return the exit status."""
    from pipelines.cli.arguments import existing_folder, output_folder, positive
    from pipelines.parts.ids import read_ids
    from pipelines.parts.make import subset
    from pipelines.parts.selection import Selection

    chosen = (args.sources, args.splits, args.tasks, args.limit, args.ids)
    if all(each is None for each in chosen):
        raise UsageError("subset needs one of --sources, --splits, --tasks, --limit and --ids")
    tasks = _names(args.tasks)
    selection = Selection(
        sources=_names(args.sources),
        splits=_names(args.splits),
        tasks=None if tasks is None else frozenset(tasks),
        limit=None if args.limit is None else positive("--limit", args.limit),
        ids=None if args.ids is None else read_ids(args.ids),
    )
    origin = existing_folder(args.origin)
    args.output = output_folder(args.output, origin)
    with counted_rows() as on_rows:
        manifest = subset(origin, selection, args.output, on_rows)
    print_output(args, manifest)
    return 0


def _names(text: str | None) -> list[str] | None:
    return (
        None if text is None else list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    )
