"""`wordings`: asks a chat model for new wordings of a set, in a file that `--wordings` takes."""

import sys
from argparse import Namespace
from urllib.parse import urlsplit

import yaml

from pipelines.cli.arguments import folder, positive
from pipelines.recap.new_wordings import request_wordings
from pipelines.recipes.load import load_wordings
from pipelines.storage import files
from prompts.catalog import WORDING_SETS
from prompts.wordings import WordingSet
from schemas.errors import BuildError, UsageError


def run(args: Namespace) -> int:
    """Write new wordings; those found are written even where they are too few."""
    number = positive("--n", args.n)
    known = _set(args.kind)
    path = folder(args.output) if args.output else None
    others = load_wordings(path) if path and files.exists(path) else {}
    new = request_wordings(known, number, _endpoint(args.endpoint), args.model)
    for line in new.dropped:
        print(f"dropped {line}", file=sys.stderr)
    if new.wordings:
        _write({**others, known.name: new.wordings}, path)
    if len(new.wordings) < number:
        raise BuildError(
            f"the model gave {len(new.wordings)} usable wordings of {number}; "
            "ask for fewer, or ask another model"
        )
    return 0


def _set(name: str) -> WordingSet:
    if name not in WORDING_SETS:
        raise UsageError(f"--kind {name!r}: the sets are: {', '.join(WORDING_SETS)}")
    return WORDING_SETS[name]


def _endpoint(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("--endpoint: expected an address such as http://localhost:8000/v1")
    return address


def _write(wordings: dict[str, list[str]], path: str | None) -> None:
    text = yaml.safe_dump(wordings, allow_unicode=True, sort_keys=False, width=10_000)
    if path is None:
        print(text, end="")
        return
    files.write_whole(path, text.encode())
