"""`sources`: what there is and what of it is found."""

from argparse import Namespace
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from pipelines.commands.arguments import folder
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.files import exists
from pipelines.plan import Found, find


def run(args: Namespace) -> int:
    """List the sources and what of them is found."""
    console = Console(highlight=False, soft_wrap=True)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}; licence: {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for year in spec.years or (None,):
            for found in find(folder(args.data_root), SourceRequest(name=spec.name, year=year)):
                console.print(f"  {found.located.split} {year or ''}".rstrip())
                for line in _lines(found):
                    console.print(f"    {line}")
    return 0


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
