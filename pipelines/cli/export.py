"""The command `export`, which writes a build in the format of another trainer or tool."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from pipelines.export.names import COORDINATES, FORMATS
from schemas.counted import counted


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "export",
        "Write a build in the format of another trainer or tool, and say what that loses.",
        "export /shards --format llava --to /llava",
        "export /shards --format coco --config coco --split train --to /instances",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build")
    parser.add_argument("--format", required=True, choices=FORMATS, help="the format: %(choices)s")
    parser.add_argument("--to", required=True, metavar="DIR", help="the new folder to write")
    parser.add_argument(
        "--config", metavar="NAME", help="only records of this config, e.g. coco (default: of all)"
    )
    parser.add_argument(
        "--split", metavar="NAME", help="only records of this split, e.g. train (default: of all)"
    )
    parser.add_argument("--image-root", metavar="DIR", help="the folder of referenced images")
    parser.add_argument(
        "--coordinates",
        choices=COORDINATES,
        help="boxes in the text of qwen and llamafactory: thousandths of the picture, for Qwen2-VL "
        "and Qwen3-VL (default); or pixels of the resized picture, for Qwen2.5-VL",
    )


def run(args: Namespace) -> int:
    """Export a build; return the exit status."""
    from rich.filesize import decimal

    from pipelines.cli.arguments import existing_folder, output_folder
    from pipelines.cli.image_root import image_root_of
    from pipelines.export.run import Request, export_build
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.storage.files import is_local
    from schemas.console import result, say
    from schemas.errors import UsageError

    output = existing_folder(args.output)
    folder = output_folder(args.to, output)
    if not is_local(folder):
        raise UsageError(f"--to {folder}: expected a folder on this machine")
    request = Request(
        format=args.format,
        config=args.config,
        split=args.split,
        image_root=image_root_of(args.image_root, output),
        coordinates=args.coordinates,
    )
    with Ticker("exporting", patience=QUIET_SECONDS) as ticker:
        exported = export_build(
            output, folder, request, lambda records: ticker.say(f"{records:,} records")
        )
    for lost in exported.losses.lines():
        say(f"not in it: {lost}")
    size = f"{counted(exported.files, 'file')}, {decimal(exported.bytes)}"
    result(f"wrote {counted(exported.records, 'record')} in {size}: {folder}")
    return 0
