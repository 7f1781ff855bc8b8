"""The command `push`, which publishes a build or an export as a data set on the Hub."""

import re
from argparse import Namespace
from typing import TYPE_CHECKING

from pipelines.cli.command import Commands, add_command
from schemas.counted import counted
from schemas.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{,95}/[A-Za-z0-9][A-Za-z0-9_.-]{,95}")

if TYPE_CHECKING:
    from pipelines.push import Contents


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "push",
        "Publish a build, or an export of one, as a data set on the Hugging Face Hub.",
        "push /shards --repo me/regions --dry-run",
        "push /shards --repo me/regions --public --mixed-licences",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the folder of a build, or of an export")
    parser.add_argument(
        "--repo", required=True, metavar="USER/NAME", help="the name of the data set on the Hub"
    )
    parser.add_argument(
        "--public", action="store_true", help="a new data set is for all to see (default: private)"
    )
    parser.add_argument(
        "--mixed-licences",
        action="store_true",
        help="confirm that records under several licences may be published together",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be sent, and send nothing"
    )


def run(args: Namespace) -> int:
    """Publish a folder; return the exit status."""
    from pipelines.cli.arguments import existing_folder
    from pipelines.push import contents_of, push
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.storage.files import is_local
    from schemas.console import result

    if not _NAME.fullmatch(args.repo):
        raise UsageError(f"--repo {args.repo[:200]!r}: expected USER/NAME, such as me/regions")
    folder = existing_folder(args.output)
    if not is_local(folder):
        raise UsageError(f"{folder}: expected a folder on this machine")
    contents = contents_of(folder, args.repo)
    mixed = _mixed(contents)
    if args.dry_run:
        _show(contents, args.repo, "" if args.mixed_licences else mixed)
        return 0
    if mixed and not args.mixed_licences:
        raise UsageError(mixed)
    with Ticker("sending", patience=QUIET_SECONDS) as ticker:
        pushed = push(
            contents,
            args.repo,
            public=args.public,
            on_progress=lambda done, total: ticker.say(f"{done:,} of {total:,} bytes"),
        )
    result(f"sent {counted(pushed.sent, 'file')} ({pushed.already:,} there before): {pushed.url}")
    return 0


def _mixed(contents: "Contents") -> str:
    """Return why a folder with several licences is not sent; empty where there is one."""
    if len(contents.licences) < 2:
        return ""
    named = "; ".join(f"{name} ({number:,})" for name, number in contents.licences.items())
    return (
        f"the records are under {len(contents.licences)} licences: {named}. --mixed-licences "
        "confirms that they may be published together"
    )


def _show(contents: "Contents", repository: str, mixed: str) -> None:
    from rich.filesize import decimal

    from schemas.console import notice, result, say

    by_folder: dict[str, list[int]] = {}
    for file in contents.data:
        by_folder.setdefault(file.path.partition("/")[0], []).append(file.bytes)
    for name, sizes in sorted(by_folder.items()):
        say(f"{name}: {counted(len(sizes), 'file')}, {decimal(sum(sizes))}")
    say(f"{', '.join(contents.about)}: {decimal(sum(map(len, contents.about.values())))}")
    for licence, number in contents.licences.items():
        say(f"licence of {counted(number, 'record')}: {licence}")
    if contents.staying:
        say(f"not sent, as no manifest lists them: {counted(contents.staying, 'file')}")
    if mixed:
        notice(f"would be refused: {mixed}")
    files = counted(len(contents.data) + len(contents.about), "file")
    result(f"would send {files}, {decimal(contents.bytes)}, to {repository}")
