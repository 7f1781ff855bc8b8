"""The figures of a build: the numbers of its records, and of rejected items by reason."""

from collections import Counter, defaultdict

from rich.filesize import decimal

from pipelines.output.reader import read_ledger, read_manifest
from schemas.ledger import Ledger

Facts = dict[str, dict[str, str]]  # section, then label, then value


def build_facts(output: str) -> Facts:
    """Return the figures of a finished build, by section and label."""
    manifest, ledger = read_manifest(output), read_ledger(output)
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
    """Return a section for each way of leaving out, and one for repairs; largest numbers first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (*_, kind), account in ledger.accounts():
        for reason, number in account.rejected.items():
            counts["Rejected"][f"{reason} ({kind})"] += number
        for repair, number in account.repaired.items():
            counts["Repaired"][f"{repair} ({kind})"] += number
        counts["Left out with a rejected image"][kind] += account.with_image
        counts["Sampled out"][kind] += account.sampled_out
    return {
        section: {label: f"{number:,}" for label, number in (+counts[section]).most_common()}
        for section in ("Rejected", "Left out with a rejected image", "Sampled out", "Repaired")
        if +counts[section]
    }
