"""`sources`: what there is and what of it is found."""

from argparse import Namespace
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from pipelines.cli.arguments import folder
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest
from pipelines.plan import locate_splits, missing_files
from pipelines.storage.files import exists


def run(args: Namespace) -> int:
    """List the sources and what of them is found."""
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


def _requests(spec: DatasetSpec, root: str) -> Iterator[SourceRequest]:
    """Yield a request for each release and edition of a source, with all splits there are."""
    for year in spec.years or (None,):
        for edition in spec.editions or (None,):
            request = SourceRequest(name=spec.name, year=year, edition=edition, splits=spec.splits)
            # Where splits are named, a source also tells of those that are read only then.
            known = tuple(located.split for located in spec.locate(root, request))
            yield request.model_copy(update={"splits": known})


def _heading(spec: DatasetSpec, request: SourceRequest, located: Located) -> str:
    release, split = request.year or request.edition, located.split
    named = "" if split in spec.splits else "(read where it is asked for)"
    return " ".join(str(word) for word in (split, release, named) if word)


def _lines(located: Located) -> Iterator[str]:
    """Yield what is found of a split, role by role."""
    width, missing = max(map(len, located.roles)), missing_files(located)
    for role, path in located.roles.items():
        state, note = "[green]found  [/green]", ""
        if role in located.optional:
            state, note = state if exists(path) else "[dim]absent [/dim]", " (optional)"
        elif path in missing:
            state = "[red]missing[/red]"
        yield f"{state} {role:{width}} {escape(path)}{note}"
