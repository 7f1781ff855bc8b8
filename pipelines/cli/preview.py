"""The command `preview`, which shows some records of a build in the terminal and as a page."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from schemas.counted import counted
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "preview",
        "Show some records of a build, chosen by hash, in the terminal or as an HTML page.",
        "preview /shards --html preview.html",
        takes_others=True,
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build")
    parser.add_argument(
        "-n",
        dest="count",
        type=int,
        default=8,
        metavar="N",
        help="number of records (default: %(default)s)",
    )
    parser.add_argument(
        "--config", metavar="NAME", help="only records of this config, e.g. coco (default: of all)"
    )
    parser.add_argument(
        "--split", metavar="NAME", help="only records of this split, e.g. train (default: of all)"
    )
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="write an offline page with regions drawn, instead of showing records here",
    )
    parser.add_argument(
        "--image-root", metavar="DIR", help="the folder of referenced images, for --html"
    )


def run(args: Namespace) -> int:
    """Show some records of a build; return the exit status."""
    from pipelines.cli.arguments import existing_folder, positive
    from pipelines.cli.image_root import image_root_of
    from pipelines.preview import build_facts, choose, print_samples, write_page
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from schemas.console import result, result_console

    if args.image_root and not args.html:
        raise UsageError("--image-root goes with --html FILE: no picture is shown in a terminal")
    output = existing_folder(args.output)
    count = positive("-n", args.count)
    image_root = image_root_of(args.image_root, output)
    with Ticker("choosing records", patience=QUIET_SECONDS) as ticker:
        records = choose(
            output,
            config=args.config,
            split=args.split,
            count=count,
            on_progress=lambda rows: ticker.say(f"of {rows:,}"),
        )
    if not args.html:
        print_samples(records, result_console())
        return 0
    with Ticker("drawing the page", patience=QUIET_SECONDS):
        write_page(records, args.html, output, build_facts(output), image_root=image_root)
    result(f"wrote {args.html}, of {counted(len(records), 'record')}")
    return 0
