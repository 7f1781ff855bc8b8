"""The command `sources`, which lists the data sets and the files that exist or are missing."""

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from pipelines.cli.command import Commands, add_command

if TYPE_CHECKING:
    from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "sources",
        "List the sources: which files are there, which are missing, and where to get them.",
        "sources --data-root /data",
    )
    parser.add_argument(
        "--data-root", required=True, metavar="DIR", help="the folder of the owners' files"
    )


def run(args: Namespace) -> int:
    """List the sources, with each split of each release or edition, and the split's files."""
    from pipelines.cli.arguments import folder
    from pipelines.datasets.catalog import CATALOG
    from pipelines.locate import locate_splits

    console, root = Console(highlight=False, soft_wrap=True), folder(args.data_root)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}; licence: {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for request in _requests(spec, root):
            for located in locate_splits(root, request):
                console.print(f"  {_heading(spec, request, located)}")
                for line in _lines(located):
                    console.print(f"    {line}")
    return 0


def _requests(spec: "DatasetSpec", root: str) -> Iterator["SourceRequest"]:
    """Yield a request for each release and edition of a source, with all existing splits."""
    from pipelines.datasets.spec import SourceRequest

    for year in spec.years or (None,):
        for edition in spec.editions or (None,):
            request = SourceRequest(name=spec.name, year=year, edition=edition, splits=spec.splits)
            # Given names, a source also locates splits that are read only on request.
            known = tuple(located.split for located in spec.locate(root, request))
            yield request.model_copy(update={"splits": known})


def _heading(spec: "DatasetSpec", request: "SourceRequest", located: "Located") -> str:
    release, split = request.year or request.edition, located.split
    remark = "" if split in spec.splits else "(read only where it is named)"
    return " ".join(str(word) for word in (split, release, remark) if word)


def _lines(located: "Located") -> Iterator[str]:
    """Yield a line for each role of a split: the file's state, the role and the path."""
    from pipelines.locate import missing_files, missing_folders
    from pipelines.storage.files import exists

    width, missing = max(map(len, located.roles)), missing_files(located)
    for role, path in located.roles.items():
        state, remark = "[green]found  [/green]", ""
        if role in located.optional:
            state, remark = state if exists(path) else "[dim]absent [/dim]", " (optional)"
        elif path in missing:
            state = "[red]missing[/red]"
        elif role == "images" and (folders := missing_folders(located)):
            state = "[red]missing[/red]"
            path = " or ".join(folders)
        yield f"{state} {role:{width}} {escape(path)}{remark}"
