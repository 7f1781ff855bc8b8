"""The command `wordings`, which gets new wordings of prompts from a chat model."""

from argparse import Namespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.cli.arguments import folder, positive
from pipelines.cli.command import Commands, add_command
from schemas.console import notice, result
from schemas.errors import BuildError, UsageError
from schemas.near import near

if TYPE_CHECKING:
    from prompts.wordings import WordingSet


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "wordings",
        "Ask a chat model for new wordings of a request, in a file for --wordings.",
        "wordings --set recap_region --count 10 --endpoint http://localhost:8000/v1 --model NAME "
        "--output my_wordings.yaml",
    )
    parser.add_argument(
        "--set", required=True, metavar="SET", help="name of a set of wordings, see `prompts/`"
    )
    parser.add_argument(
        "--count",
        type=int,
        default=10,
        metavar="N",
        help="number of wordings (default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint", required=True, metavar="URL", help="of a server of the OpenAI protocol"
    )
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="the server's name for the model"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="file to write, whose other sets stay; default: print"
    )


def run(args: Namespace) -> int:
    """Write the new wordings of a set; raise `BuildError` if the model gave too few of them."""
    from pipelines.recap.new_wordings import request_wordings
    from pipelines.recipes.load import load_wordings
    from pipelines.storage import files

    count = positive("--count", args.count)
    wording_set = _wording_set(args.set)
    path = folder(args.output) if args.output else None
    others = load_wordings(path) if path and files.exists(path) else {}
    new = request_wordings(wording_set, count, _endpoint(args.endpoint), args.model)
    for line in new.dropped:
        notice(f"dropped {line}")
    if new.wordings:
        _write({**others, wording_set.name: new.wordings}, path)
    if len(new.wordings) < count:
        raise BuildError(
            f"the model gave {len(new.wordings)} usable wordings of {count}; "
            "ask for fewer, or ask another model"
        )
    return 0


def _wording_set(name: str) -> "WordingSet":
    from prompts.catalog import WORDING_SETS

    if name not in WORDING_SETS:
        raise UsageError(f"--set {name!r}: there is no such set; {near(name, WORDING_SETS)}")
    return WORDING_SETS[name]


def _endpoint(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:  # of a malformed host
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("--endpoint: expected an address such as http://localhost:8000/v1")
    return address


def _write(wordings: dict[str, list[str]], path: str | None) -> None:
    """Write sets of wordings as YAML to a file, or to standard output without a path."""
    import yaml

    from pipelines.storage import files

    text = yaml.safe_dump(wordings, allow_unicode=True, sort_keys=False, width=10_000)
    if path is None:
        result(text.removesuffix("\n"))
        return
    files.write_whole(path, text.encode())
