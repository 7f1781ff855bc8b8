"""The figures of a build, for people: what it holds, what it left out and why."""

from collections import Counter, defaultdict
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from rich.filesize import decimal

from pipelines.publish import LEDGER, MANIFEST
from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.ledger import Ledger
from schemas.manifest import Manifest

Facts = dict[str, dict[str, str]]  # section, then label, then value

M = TypeVar("M", bound=BaseModel)


def read_manifest(output: str) -> Manifest:
    """Return the manifest of a finished build, or raise `UsageError`."""
    return _read(output, MANIFEST, Manifest)


def build_facts(output: str) -> Facts:
    """Return what a finished build holds and what it left out, for people."""
    manifest = read_manifest(output)
    ledger = _read(output, LEDGER, Ledger)
    rows: Counter[str] = Counter()
    for shard in manifest.shards:
        rows[f"{shard.config} / {shard.split}"] += shard.rows
    size = sum(shard.bytes for shard in manifest.shards)
    return {
        "Build": {
            "recipe": str(manifest.identity.recipe.get("name", "")),
            "built by": manifest.identity.builder,
            "shards": f"{len(manifest.shards):,}, {decimal(size)}",
        },
        "Records": {name: f"{number:,}" for name, number in sorted(rows.items())},
        **_outcomes(ledger),
    }


def _outcomes(ledger: Ledger) -> Facts:
    """Return the sections of what was rejected, sampled out and repaired, largest first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (*_, kind), account in ledger.accounts():
        for reason, number in account.rejected.items():
            counts["Rejected"][f"{reason} ({kind})"] += number
        for repair, number in account.repaired.items():
            counts["Repaired"][f"{repair} ({kind})"] += number
        if account.sampled_out:
            counts["Sampled out"][kind] += account.sampled_out
    return {
        section: {label: f"{number:,}" for label, number in counts[section].most_common()}
        for section in ("Rejected", "Sampled out", "Repaired")
        if counts[section]
    }


def _read(output: str, name: str, kind: type[M]) -> M:
    path = files.join(output, name)
    try:
        return kind.model_validate_json(files.FileStore().read(path))
    except (InputFileError, ValidationError) as error:
        raise UsageError(f"{output} is not a finished build: {error}") from None
