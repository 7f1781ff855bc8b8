"""The command `demo`, which runs the data tower's steps on a small world of drawn pictures."""

from argparse import Namespace
from collections.abc import Sequence

from pipelines.cli import parser
from pipelines.cli.command import Commands, add_command


def main(argv: Sequence[str]) -> None:
    """Run the command line of the demonstration, from the word `demo` on, and exit."""
    parser.main(argv, (add_parser,))


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    demo = add_command(
        commands,
        run,
        "demo",
        "Draw a small world, build it, caption it, verify it and show it.",
        "demo --output demo_output",
    )
    demo.add_argument(
        "--output",
        default="demo_output",
        metavar="DIR",
        help="the folder to write into (default: %(default)s)",
    )


def run(args: Namespace) -> int:
    """Run the demonstration and return the exit status."""
    from pipelines.cli.scratch_folder import local_folder
    from pipelines.storage.extras import require

    output = local_folder(args.output)
    require("clip", "regionforge demo")
    from regionforge.demo_steps import run_demo

    return run_demo(output)
