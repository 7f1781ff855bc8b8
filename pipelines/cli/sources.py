"""`sources`: what there is and what of it is found."""

from argparse import Namespace
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from pipelines.cli.arguments import folder
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import DatasetSpec, SourceRequest
from pipelines.plan import Found, find
from pipelines.storage.files import exists


def run(args: Namespace) -> int:
    """List the sources and what of them is found."""
    console, root = Console(highlight=False, soft_wrap=True), folder(args.data_root)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}; licence: {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for request in _requests(spec, root):
            for found in find(root, request):
                console.print(f"  {_heading(spec, found)}")
                for line in _lines(found):
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


def _heading(spec: DatasetSpec, found: Found) -> str:
    release = found.request.year or found.request.edition
    split = found.located.split
    named = "" if split in spec.splits else "(read where it is asked for)"
    return " ".join(str(word) for word in (split, release, named) if word)


def _lines(found: Found) -> Iterator[str]:
    """Yield what is found of a split, role by role."""
    roles = found.located.roles
    width = max(map(len, roles))
    for role, path in roles.items():
        state, note = "[green]found  [/green]", ""
        if role in found.located.optional:
            state, note = state if exists(path) else "[dim]absent [/dim]", " (optional)"
        elif path in found.missing:
            state = "[red]missing[/red]"
        yield f"{state} {role:{width}} {escape(path)}{note}"
