"""The command `verify`, which reads a whole build again and lists all errors in it."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from schemas.console import write_json


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "verify",
        "Re-read a whole build and name all that is wrong with it.",
        "verify /shards --workers 4",
        json=True,
        takes_others=True,
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="number of processes (default: %(default)s)",
    )
    parser.add_argument(
        "--image-root", metavar="DIR", help="the folder of referenced images, to check them too"
    )
    parser.add_argument(
        "--data-root",
        metavar="DIR",
        help="the folder of the owners' files, to compare every image with the owner's; without "
        "it, no check tells an image or a label that somebody replaced together with all digests",
    )


def run(args: Namespace) -> int:
    """Verify an output; return the exit status, which is 0 only if there are no errors."""
    from pipelines.cli.arguments import existing_folder, processes
    from pipelines.cli.image_root import image_root_of
    from pipelines.runner.progress import Ticker
    from pipelines.verify import verify
    from pipelines.verify.report import print_report, report_json

    with Ticker("verifying") as ticker:
        report = verify(
            existing_folder(args.output),
            workers=processes(args.workers),
            image_root=image_root_of(args.image_root, args.output),
            data_root=args.data_root and existing_folder(args.data_root, "--data-root"),
            on_progress=lambda done, total: ticker.say(f"{done:,} of {total:,} records"),
        )
    if args.json:
        write_json(report_json(report, args.output))
    else:
        print_report(report)
    return 0 if report.ok else 1
