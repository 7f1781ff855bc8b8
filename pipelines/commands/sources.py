"""`sources`: what there is and what of it is found."""

from argparse import Namespace

from rich.console import Console
from rich.markup import escape

from pipelines.commands.arguments import folder
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import find


def run(args: Namespace) -> int:
    """List the sources and what of them is found."""
    console = Console(highlight=False, soft_wrap=True)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}, {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for year in spec.years:
            for found in find(folder(args.data_root), SourceRequest(name=spec.name, year=year)):
                console.print(f"  {found.located.split} {year}")
                for path in (*found.located.files.values(), found.located.pictures):
                    missing = path in found.missing
                    state = "[red]missing[/red]" if missing else "[green]found  [/green]"
                    console.print(f"    {state} {escape(path)}")
    return 0
