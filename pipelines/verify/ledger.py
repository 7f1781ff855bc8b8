"""The check of the ledger: it balances, and agrees with the shards and the rejected items."""

from collections import Counter
from collections.abc import Iterator

from pipelines.output.reader import read_ledger, read_rejections
from schemas.errors import InputFileError
from schemas.layout import LEDGER, rejected_path
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest
from schemas.rejection import Kind

Outcomes = Counter[tuple[str, ...]]  # split, stage, kind, reason


def ledger_problems(output: str, manifest: Manifest) -> Iterator[str]:
    """Yield the problems of the ledger and of the lists of rejected items."""
    try:
        ledger = read_ledger(output)
    except InputFileError as error:
        yield _below(output, error)
        return
    lines = (*_kept_problems(ledger, manifest), *_guard_problems(ledger, manifest))
    for line in (*ledger.problems(), *lines):
        yield f"{LEDGER}: {line}"
    for config in sorted({*manifest.rejected, *ledger.sources}):
        expected = manifest.rejected.get(config, 0)
        try:
            for line in _rejected_problems(output, config, expected, ledger):
                yield f"{rejected_path(config)}: {line}"
        except InputFileError as error:
            yield _below(output, error)


def _below(output: str, error: InputFileError) -> str:
    """Return an error's message with paths relative to the output, as in all problems."""
    return str(error).replace(f"{output}/", "")


def _kept_problems(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    shards = {(shard.config, shard.split) for shard in manifest.shards}
    counted = {(source, split) for source, splits in ledger.sources.items() for split in splits}
    for source, split in sorted(shards | counted):
        kept = ledger.stored(source, split, Kind.CONVERSATION)
        if kept != (rows := manifest.rows(source, split)):
            yield f"{source}/{split}: kept {kept} conversations, but the manifest has {rows} rows"


def _guard_problems(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    if ledger.guard != manifest.identity.guard:
        yield "the lists of the guard are not those of the manifest"
    for source, splits in sorted(ledger.sources.items()) if not ledger.guard else ():
        for split, stages in sorted(splits.items()):
            if Stage.GUARD in stages:
                yield f"{source}/{split}: went through the stage {Stage.GUARD} without a list"


def _rejected_problems(output: str, config: str, expected: int, ledger: Ledger) -> Iterator[str]:
    listed: Outcomes = Counter()
    for number, item in enumerate(read_rejections(output, config), start=1):
        listed[item.split, item.stage, item.kind, item.reason] += 1
        if item.source != config:
            yield f"line {number}: source is {item.source!r}, expected {config!r}"
    if listed.total() != expected:
        yield f"{listed.total()} lines, expected {expected} as in the manifest"
    counted = _rejections(ledger, config)
    for key in sorted(listed.keys() | counted.keys()):
        if listed[key] != counted[key]:
            split, stage, kind, reason = key
            yield (
                f"{listed[key]} lines of {split}, stage {stage}, {kind} {reason}, "
                f"expected {counted[key]} as in {LEDGER}"
            )


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
