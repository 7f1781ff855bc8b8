"""The command `check-source`, which tries the rules of data sets on a source of one's own."""

from argparse import Namespace
from typing import TYPE_CHECKING

from pipelines.cli.command import Commands, add_command
from schemas.console import result, write_json

if TYPE_CHECKING:
    from pipelines.conformance.check import Checked


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "check-source",
        "Try the rules that all sources keep on one of your own, with a few of its files.",
        "check-source my_birds/my_birds.py --data-root my_birds/data_root",
        json=True,
    )
    parser.add_argument(
        "module", metavar="MODULE|FILE.py", help="the module that declares the source"
    )
    parser.add_argument(
        "--data-root",
        required=True,
        metavar="DIR",
        help="a folder with a few records of each split and their pictures, as the owner's lie",
    )
    parser.add_argument(
        "--label-set", metavar="NAME", help="what the source's category names are called"
    )


def run(args: Namespace) -> int:
    """Check the sources of a module; return the exit status, 0 if all rules are kept."""
    from pipelines.cli.arguments import existing_folder
    from pipelines.conformance.check import check_sources
    from pipelines.datasets.others import declared_by, named_modules

    root = existing_folder(args.data_root, "--data-root")
    checked: list[Checked] = []
    with named_modules([args.module]):
        for each in check_sources(declared_by(args.module), root, args.label_set):
            checked.append(each)
            if not args.json:
                _print(each)
    broken = [each for each in checked if each.problems]
    if args.json:
        write_json(
            {
                "command": "check-source",
                "ok": not broken,
                "rules": [each._asdict() for each in checked],
            }
        )
    else:
        result(f"{len(checked) - len(broken)} of {len(checked)} rules are kept")
    return 1 if broken else 0


def _print(checked: "Checked") -> None:
    word = ("wrong ", "red") if checked.problems else ("kept  ", "green")
    result(word, f"{checked.source}: {checked.rule}")
    for problem in checked.problems:
        result(f"      {problem}")
