"""The summary of a build for programs: what `regionforge build --json` prints.

{"command": "build", "output": "/shards", "config": "coco", "seconds": 12.5, "records": 40,
 "shards": 2, "bytes": 81234,
 "splits": [{"source": "coco", "split": "train", "images": 38, "regions": 90,
             "conversations": 40, "rejected": 3, "sampled_out": 0}],
 "rejected": {"image": {"image_missing": 1}}, "repaired": {"annotation": {"box_clipped": 2}},
 "mix": [{"source": "coco", "task": "region_classification", "turns": 90, "turn_share": 1.0,
          "words": 120, "word_share": 1.0}],
 "warnings": ["coco/train: ..."]}
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.card.card import default_config
from pipelines.card.coverage import left_out
from pipelines.card.mix import task_shares
from pipelines.card.summary import emptied, split_counts
from pipelines.output.losses import Losses
from pipelines.output.reader import read_ledger
from pipelines.plan import Plan
from schemas.ledger import Ledger
from schemas.manifest import Manifest


def summary_json(plan: Plan, manifest: Manifest, seconds: float) -> dict[str, Any]:
    """Return the numbers of a build as a document."""
    ledger = read_ledger(plan.output)
    accounts = [(kind, account) for (*_, kind), account in ledger.accounts()]
    return {
        "command": "build",
        "output": plan.output,
        "config": default_config(plan.recipe.name, manifest),
        "seconds": round(seconds, 1),
        "records": sum(shard.rows for shard in manifest.shards),
        "shards": len(manifest.shards),
        "bytes": sum(shard.bytes for shard in manifest.shards),
        "splits": [
            {"source": split.source, "split": split.split, **split_counts(split, ledger)}
            for split in plan.splits
        ],
        "rejected": _sums((kind, account.rejected) for kind, account in accounts),
        "repaired": _sums((kind, account.repaired) for kind, account in accounts),
        "mix": [share._asdict() for share in task_shares(manifest)],
        "warnings": _warnings(plan, manifest, ledger),
    }


def _sums(counts: Iterable[tuple[str, Mapping[Any, int]]]) -> dict[str, dict[str, int]]:
    """Return the sums of counts, by kind of item and by what was counted."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for kind, numbers in counts:
        if numbers:
            sums[kind].update(numbers)
    return {kind: dict(sorted(number.items())) for kind, number in sorted(sums.items())}


def _warnings(plan: Plan, manifest: Manifest, ledger: Ledger) -> list[str]:
    return [
        *(*plan.left_out, *plan.remarks, *plan.doubts),
        *(f"nothing was kept of {line}" for line in emptied(ledger, manifest)),
        *Losses(plan.output, ledger).lines(),
        *(f"{name}: without the detailed captions" for name in left_out(plan.recipe)),
    ]
