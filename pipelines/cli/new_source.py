"""The command `new-source`, which writes the files that a source of one's own begins with."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from schemas.console import result, say


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "new-source",
        "Write the files that a source of your own begins with: module, test, small data root.",
        "new-source my_birds",
    )
    parser.add_argument("name", metavar="NAME", help="the name of the source, e.g. my_birds")
    parser.add_argument(
        "--format",
        choices=("csv", "coco"),
        default="csv",
        help="what the owner's files are like: a table, or COCO's layout (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        default=".",
        metavar="DIR",
        help="where to make a folder that is called like the source (default: here)",
    )


def run(args: Namespace) -> int:
    """Write the files of a new source; return the exit status."""
    from pipelines.cli.scratch_folder import local_folder
    from pipelines.new_source.write import write_source

    folder = local_folder(args.output)
    for path in write_source(folder, args.name, args.format):
        say(f"wrote {path}")
    module, root = folder / args.name / f"{args.name}.py", folder / args.name / "data_root"
    result(f"a source to change: {module}")
    say(f"to try its rules: regionforge check-source {module} --data-root {root}")
    say(
        f"to build from it: regionforge build --sources {args.name} --source-module {module} "
        f"--data-root {root} --output DIR"
    )
    return 0
