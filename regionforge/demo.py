"""The command `demo`, which runs both towers' steps on small worlds of drawn pictures."""

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
        "Draw a small world, build it, caption it, verify it and show it; train a tiny model.",
        "demo --output demo_output",
    )
    demo.add_argument(
        "--output",
        default="demo_output",
        metavar="DIR",
        help="the folder to write into (default: %(default)s)",
    )
    demo.add_argument(
        "--max-steps",
        type=int,
        metavar="N",
        help="stop each of the two stages of training after N steps (default: all steps)",
    )


def run(args: Namespace) -> int:
    """Run the demonstration and return the exit status."""
    from pipelines.cli.arguments import positive
    from pipelines.cli.scratch_folder import local_folder
    from pipelines.storage.extras import require

    output = local_folder(args.output)
    max_steps = None if args.max_steps is None else positive("--max-steps", args.max_steps)
    require("clip", "regionforge demo")
    from regionforge.demo_steps import run_demo

    return run_demo(output, max_steps)
