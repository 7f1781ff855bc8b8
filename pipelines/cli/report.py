"""The command `report`, which shows an output as offline pages to look through and to judge."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from schemas.counted import counted
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "report",
        "Show an output as offline HTML: statistics, records, and captions to judge by key.",
        "report /shards --to report",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build or of `recap`")
    parser.add_argument(
        "--to",
        required=True,
        metavar="DIR",
        help="the folder of the pages; an earlier report in it is replaced",
    )
    parser.add_argument(
        "-n",
        dest="count",
        type=int,
        default=1000,
        metavar="N",
        help="records shown, chosen by the hash of their images (default: %(default)s); "
        "statistics are of all",
    )
    parser.add_argument(
        "--data-root",
        metavar="DIR",
        help="the folder of the owners' files: for pictures that only rejected captions are of, "
        "or that the build only refers to",
    )


def run(args: Namespace) -> int:
    """Write the pages of a report; return the exit status."""
    from pipelines.cli.arguments import existing_folder, output_folder, positive
    from pipelines.report import ReportOptions, write_report
    from pipelines.report.names import INDEX
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.storage import files
    from schemas.console import result

    output = existing_folder(args.output)
    folder = output_folder(args.to, output)
    if args.data_root:
        _check_data_root(output)
    options = ReportOptions(
        count=positive("-n", args.count),
        data_root=existing_folder(args.data_root, "--data-root") if args.data_root else None,
    )
    with Ticker("writing the report:", patience=QUIET_SECONDS) as ticker:
        shown = write_report(output, folder, options, ticker.say)
    result(f"wrote {files.join(folder, INDEX)}, with {counted(shown, 'record')}")
    return 0


def _check_data_root(output: str) -> None:
    """Raise `UsageError` where no picture is looked for below the data root."""
    from pipelines.output.reader import read_manifest
    from pipelines.report.choose import rejected_captions

    manifest = read_manifest(output)
    embedded = manifest.identity.recipe.get("images") != "reference"
    if embedded and not any(True for _ in rejected_captions(output, manifest.rejected)):
        raise UsageError(
            "--data-root: the shards hold the pictures themselves, and no caption was rejected: "
            "leave it out"
        )
