"""Verify the books: the ledger balances, and agrees with the shards and with `_rejected/`."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import cast

import msgspec
from pydantic import ValidationError

from pipelines.output.rejections import REJECTED_FOLDER
from pipelines.publish import LEDGER
from pipelines.storage import files
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest
from schemas.rejection import Kind, Rejection

Outcomes = Counter[tuple[str, ...]]  # split, stage, kind, reason


def book_problems(output: str, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with `ledger.json`, and with the lists of rejected items."""
    try:
        with files.open_read(files.join(output, LEDGER)) as file:
            ledger = Ledger.model_validate_json(file.read())
    except (OSError, ValidationError) as error:
        yield f"{LEDGER}: cannot be read: {' '.join(str(error).split())}"
        return
    lines = (*_kept_problems(ledger, manifest), *_guard_problems(ledger, manifest))
    for line in (*ledger.problems(), *lines):
        yield f"{LEDGER}: {line}"
    for config in sorted({*manifest.rejected, *ledger.sources}):
        path = f"{REJECTED_FOLDER}/{config}.jsonl"
        expected = manifest.rejected.get(config, 0)
        for line in _rejected_problems(files.join(output, path), expected, ledger, config):
            yield f"{path}: {line}"


def _kept_problems(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    shards = {(shard.config, shard.split) for shard in manifest.shards}
    booked = {(source, split) for source, splits in ledger.sources.items() for split in splits}
    for source, split in sorted(shards | booked):
        kept = ledger.account(source, split, Stage.WRITE, Kind.CONVERSATION).kept
        if kept != (rows := manifest.rows(source, split)):
            yield f"{source}/{split}: kept {kept} conversations, but the manifest has {rows} rows"


def _guard_problems(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    if ledger.guard != manifest.identity.guard:
        yield "the lists of the guard are not those of the manifest"
    for source, splits in sorted(ledger.sources.items()) if not ledger.guard else ():
        for split, stages in sorted(splits.items()):
            if Stage.GUARD in stages:
                yield f"{source}/{split}: went through the stage {Stage.GUARD} without a list"


def _rejected_problems(path: str, expected: int, ledger: Ledger, config: str) -> Iterator[str]:
    listed: Outcomes = Counter()
    try:
        for number, line in enumerate(_lines(path), start=1):
            item = Rejection.from_line(line)
            listed[item.split, item.stage, item.kind, item.reason] += 1
            if item.source != config:
                yield f"line {number}: source is {item.source!r}, expected {config!r}"
    except msgspec.DecodeError as error:
        yield f"line {number}: not a rejected item: {error}"
        return
    except OSError as error:
        yield f"cannot be read: {error}"
        return
    if listed.total() != expected:
        yield f"{listed.total()} lines, expected {expected} as in the manifest"
    booked = _rejections(ledger, config)
    for key in sorted(listed.keys() | booked.keys()):
        if listed[key] != booked[key]:
            split, stage, kind, reason = key
            yield (
                f"{listed[key]} lines of {split}, stage {stage}, {kind} {reason}, "
                f"expected {booked[key]} as in {LEDGER}"
            )


def _lines(path: str) -> Iterator[bytes]:
    if files.exists(path):
        file = cast(io.RawIOBase, files.open_read(path))
        with io.BufferedReader(file, files.CHUNK_BYTES) as lines:
            yield from lines


def _rejections(ledger: Ledger, source: str) -> Outcomes:
    return Counter(
        {
            (split, stage, kind, reason): number
            for split, stages in ledger.sources.get(source, {}).items()
            for stage, accounts in stages.items()
            for kind, account in accounts.items()
            for reason, number in account.rejected.items()
        }
    )
