"""The command `diff`, which says what differs between two builds."""

import json
import os
from argparse import Namespace
from collections.abc import Iterable

from pipelines.cli.command import Commands, add_command
from schemas.console import write_json
from schemas.counted import counted
from schemas.errors import UsageError

_EXAMPLES = 5  # changed records that are shown


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "diff",
        "Show what differs between two builds: sources, records, fields, categories.",
        "diff /shards /mix",
        json=True,
    )
    parser.add_argument("before", metavar="BEFORE", help="the folder of a build")
    parser.add_argument("now", metavar="NOW", help="the folder of another build")
    parser.add_argument(
        "--list",
        metavar="FILE",
        help="write every record that differs, as a line of JSON: id, change, fields",
    )


def run(args: Namespace) -> int:
    """Show what differs between two builds; return the exit status."""
    from pipelines.cli.arguments import existing_folder
    from pipelines.diff.compare import Change, Comparison
    from pipelines.diff.show import difference_json, print_difference
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.storage import files
    from schemas.console import notice, result_console

    before, now = existing_folder(args.before), existing_folder(args.now)
    if args.list is not None and os.path.isdir(args.list):
        raise UsageError(f"--list {args.list}: this is a folder; expected the name of a file")
    examples: list[Change] = []
    rows = 0

    with Ticker("comparing", patience=QUIET_SECONDS) as ticker:

        def add_rows(number: int) -> None:
            nonlocal rows
            rows += number
            ticker.say(f"{rows:,} records")

        comparison = Comparison(before, now, add_rows)

        def noted() -> Iterable[bytes]:
            for change in comparison.changes():
                if len(examples) < _EXAMPLES:
                    examples.append(change)
                yield json.dumps(change._asdict()).encode() + b"\n"

        if args.list is None:
            for _ in noted():
                pass
        else:
            with files.open_whole(args.list) as file:
                file.writelines(noted())
    difference = comparison.difference
    if args.json:
        write_json(difference_json(difference, examples, before, now))
    else:
        print_difference(difference, examples, result_console())
    if args.list is not None:
        number = sum(split.changes.total() for split in difference.splits.values())
        notice(f"wrote {args.list}, of {counted(number, 'record')}")
    return 0
