"""`sources`: what there is and what of it is found."""

from argparse import Namespace
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from pipelines.commands.arguments import folder
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import Located, SourceRequest
from pipelines.files import exists
from pipelines.plan import find


def run(args: Namespace) -> int:
    """List the sources and what of them is found."""
    console = Console(highlight=False, soft_wrap=True)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}, {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for year in spec.years or (None,):
            for found in find(folder(args.data_root), SourceRequest(name=spec.name, year=year)):
                console.print(f"  {found.located.split} {year or ''}".rstrip())
                for line in _lines(found.located):
                    console.print(f"    {line}")
    return 0


def _lines(located: Located) -> Iterator[str]:
    """Yield what is found of a split, role by role."""
    width = max(map(len, located.roles))
    for role, path in located.roles.items():
        optional = role in located.optional
        state = "[green]found  [/green]"
        if not exists(path):
            state = "[dim]absent [/dim]" if optional else "[red]missing[/red]"
        note = " (optional)" if optional else ""
        yield f"{state} {role:{width}} {escape(path)}{note}"
