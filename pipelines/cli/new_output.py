"""What `merge` and `subset` print of the output that they have written."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.filesize import decimal

from pipelines.cli.command import Group
from schemas.console import result, say, write_json
from schemas.counted import counted
from schemas.manifest import Manifest


def add_output_flag(group: Group) -> None:
    """Declare the flag of the new output."""
    group.add_argument(
        "--output", required=True, metavar="DIR", help="the folder of the new output, empty"
    )


@contextmanager
def counted_rows() -> Iterator[Callable[[int], None]]:
    """Show the progress of a block, which calls what is yielded with numbers of records."""
    from pipelines.runner.progress import QUIET_SECONDS, Ticker

    rows = 0
    with Ticker("records:", patience=QUIET_SECONDS) as ticker:

        def add(number: int) -> None:
            nonlocal rows
            rows += number
            ticker.say(f"{rows:,}")

        yield add


def print_output(args: Namespace, manifest: Manifest) -> None:
    """Print the splits of a new output, or a document of them.

    {"command": "subset", "output": "/small", "config": "coco", "records": 12, "shards": 1,
     "bytes": 81234, "splits": [{"source": "coco", "split": "train", "records": 12}]}
    """
    from pipelines.card.card import default_config

    config = default_config(str(manifest.identity.recipe.get("name")), manifest)
    splits = sorted({(shard.config, shard.split) for shard in manifest.shards})
    rows = [(*key, manifest.rows(*key)) for key in splits]
    size = sum(shard.bytes for shard in manifest.shards)
    document: dict[str, Any] = {
        "command": args.command,
        "output": args.output,
        "config": config,
        "records": sum(number for *_, number in rows),
        "shards": len(manifest.shards),
        "bytes": size,
        "splits": [
            {"source": source, "split": split, "records": number} for source, split, number in rows
        ],
    }
    if args.json:
        write_json(document)
        return
    for source, split, number in rows:
        say(f"{source}/{split}: {counted(number, 'record')}")
    shards = counted(len(manifest.shards), "shard")
    records = counted(sum(number for *_, number in rows), "record")
    result(f"{records} in {shards}, {decimal(size)}: {args.output}")
    say("\nfrom datasets import load_dataset")
    say(f'data = load_dataset("{args.output}", "{config}")')
