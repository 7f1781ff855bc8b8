"""The command `info`, which shows the figures of a build, or one of its records."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command
from schemas.console import write_json
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "info",
        "Show the figures of a build: records, sizes, words, categories; or a record by its id.",
        "info /shards",
        json=True,
        takes_others=True,
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build")
    parser.add_argument("--id", metavar="ID", help="show the record that has this id, whole")
    parser.add_argument(
        "--draw", metavar="FILE.png", help="with --id: write its picture with the regions drawn"
    )
    parser.add_argument(
        "--image-root", metavar="DIR", help="the folder of referenced images, for --draw"
    )


def run(args: Namespace) -> int:
    """Show the figures of a build, or a record; return the exit status."""
    from pipelines.cli.arguments import existing_folder
    from pipelines.info.document import figures_json
    from pipelines.info.figures import figures_of
    from pipelines.info.tables import print_figures
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from schemas.console import result_console

    if args.draw is not None and args.id is None:
        raise UsageError("--draw FILE.png goes with --id: it draws one record")
    if args.image_root and args.draw is None:
        raise UsageError("--image-root goes with --draw FILE.png: no picture is shown here")
    if args.draw is not None and not args.draw.lower().endswith(".png"):
        raise UsageError(f"--draw {args.draw}: expected a name that ends with .png")
    output = existing_folder(args.output)
    if args.id is not None:
        return _show_record(args, output)
    with Ticker("counting", patience=QUIET_SECONDS) as ticker:
        figures = figures_of(output, lambda rows: ticker.say(f"{rows:,} records"))
    if args.json:
        write_json(figures_json(figures, output))
    else:
        print_figures(figures, result_console())
    return 0


def _show_record(args: Namespace, output: str) -> int:
    from pipelines.cli.image_root import image_root_of
    from pipelines.info.document import record_json
    from pipelines.info.drawing import drawn_record
    from pipelines.info.record import find_record
    from pipelines.output.picture import NoPictureError
    from pipelines.preview import print_samples
    from pipelines.storage import files
    from schemas.console import notice, result, result_console

    image_root = image_root_of(args.image_root, output)
    record = find_record(output, args.id)
    if args.json:
        write_json(record_json(record, output))
    else:
        print_samples([record], result_console())
        for name, value in record["provenance"].items():
            if value not in (None, []):
                result(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    if args.draw is not None:
        if record["image"] is None:
            raise UsageError(f"--draw {args.draw}: {args.id} is text only, without a picture")
        try:
            content = drawn_record(record, image_root)
        except NoPictureError as error:
            raise UsageError(f"--draw {args.draw}: the picture {error}") from None
        files.write_whole(args.draw, content)
        notice(f"wrote {args.draw}")
    return 0
