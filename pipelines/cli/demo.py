"""The command `demo`, which runs every other command on a small world of drawn pictures."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "demo",
        "Draw a small world, build it, caption it, verify it and show it.",
        "demo --output demo_output",
    )
    parser.add_argument(
        "--output",
        default="demo_output",
        metavar="DIR",
        help="the folder to write into (default: %(default)s)",
    )


def run(args: Namespace) -> int:
    """Run the demonstration and return the exit status."""
    from pipelines.cli.demo_steps import run_demo
    from pipelines.cli.scratch_folder import local_folder

    return run_demo(local_folder(args.output))
