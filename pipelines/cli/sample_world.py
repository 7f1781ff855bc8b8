"""The command `sample-world`, which draws pictures, annotated in the formats of the data sets."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command

MARKER = ".regionforge-world"
_NEXT = {  # the flags of a build to try on a world of each preset
    "hard": "--sources coco --label-set Shapes-15",
    "proof": "--recipe proof",
}


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "sample-world",
        "Draw pictures of coloured shapes, with annotations in the owners' formats.",
        "sample-world /tmp/world --size small",
    )
    parser.add_argument("output", metavar="DIR", help="the folder to write into")
    parser.add_argument(
        "--size",
        choices=("small", "medium", "large"),
        default="small",
        help="how many pictures to draw (default: %(default)s)",
    )
    parser.add_argument(
        "--preset",
        choices=("hard", "proof"),
        default="hard",
        help="hard: fourteen data sets, with the oddities of real ones; proof: ten without, and "
        "with few kinds of things, which a tiny model learns in minutes (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="number that varies the world (default: %(default)s)"
    )


def run(args: Namespace) -> int:
    """Draw the sample world, unless the folder holds other files; return the exit status."""
    from pipelines.cli.scratch_folder import check_marked, local_folder, mark_folder
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.sample_world import write_world
    from schemas.console import result, say

    world = local_folder(args.output)
    check_marked(world, MARKER)
    mark_folder(world, MARKER)
    with Ticker("drawing", patience=QUIET_SECONDS) as ticker:
        write_world(
            world,
            args.size,
            preset=args.preset,
            seed=args.seed,
            on_progress=lambda number, of, done, total: ticker.say(
                f"data set {number} of {of}: {done:,} of {total:,} pictures"
            ),
        )
    result(f"drew the {args.size} sample world in {world}")
    say(
        f"to build from it: regionforge build {_NEXT[args.preset]} --data-root {world} --output DIR"
    )
    return 0
