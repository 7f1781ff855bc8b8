"""The command `merge`, which unites finished builds to one output."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from pipelines.cli.new_output import add_output_flag, counted_rows, print_output
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "merge",
        "Unite finished builds to one output, without their owners' files.",
        "merge /shards /recapd --output /both",
        json=True,
    )
    parser.add_argument(
        "outputs", nargs="+", metavar="OUTPUT", help="the folders of two or more builds"
    )
    add_output_flag(parser)


def run(args: Namespace) -> int:
    """Unite builds; return the exit status."""
    from pipelines.cli.arguments import existing_folder, output_folder
    from pipelines.parts.make import merge

    outputs = [existing_folder(output) for output in args.outputs]
    if len(outputs) < 2:
        raise UsageError("merge unites two or more builds: name another one")
    if len(set(outputs)) < len(outputs):
        raise UsageError("merge: a build is named twice; name each once")
    args.output = output_folder(args.output, *outputs)
    with counted_rows() as on_rows:
        manifest = merge(outputs, args.output, on_rows)
    print_output(args, manifest)
    return 0
