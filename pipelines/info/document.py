"""The figures of a build, and a record of it, as documents for programs.

{"command": "info", "output": "/shards", "recipe": "all", "builder": "regionforge 0.1.0",
 "seed": 0, "images": "embed", "records": 40, "shards": 2, "bytes": 81234,
 "splits": [{"source": "coco", "split": "train", "records": 38, "pictures": 38, "regions": 90,
             "masks": 90, "captions": 0, "shards": 1, "bytes": 80100,
             "regions_of_a_record": {"least": 1, "median": 2, "mean": 2.4, "most": 9},
             "longer_side": {...}, "boxes": {"small": 3, "medium": 50, "large": 37}}],
 "tasks": [{"source": "coco", "task": "region_classification", "turns": 90, "turn_share": 1.0,
            "words": 120, "word_share": 1.0, "words_of_an_answer": {...}}],
 "categories": {"coco": {"dog": 12}}, "licences": {"CC BY 4.0": 40},
 "captioner": {}, "judge": {}, "scorer": {}}
"""

from collections import Counter
from typing import Any

from pipelines.card.mix import task_shares
from pipelines.info.figures import Figures, SplitFigures, Spread


def figures_json(figures: Figures, output: str) -> dict[str, Any]:
    """Return the figures of a build as a document."""
    identity, shards = figures.manifest.identity, figures.manifest.shards
    lengths = figures.lengths()
    makers: dict[str, dict[str, int]] = {"captioner": {}, "judge": {}, "scorer": {}}
    for (role, name), number in figures.makers().items():
        makers[role][name] = number
    return {
        "command": "info",
        "output": output,
        "recipe": identity.recipe.get("name"),
        "builder": identity.builder,
        "seed": identity.recipe.get("seed"),
        "images": identity.recipe.get("images"),
        "records": sum(shard.rows for shard in shards),
        "shards": len(shards),
        "bytes": sum(shard.bytes for shard in shards),
        "splits": [
            {"source": source, "split": split, **_split(each)}
            for (source, split), each in sorted(figures.splits.items())
        ],
        "tasks": [
            {
                **share._asdict(),
                "words_of_an_answer": _spread(lengths.get((share.source, share.task), Counter())),
            }
            for share in task_shares(figures.manifest)
        ],
        "categories": {
            source: dict(counts.most_common()) for source, counts in figures.categories().items()
        },
        "licences": dict(figures.licences().most_common()),
        **makers,
    }


def record_json(record: dict[str, Any], output: str) -> dict[str, Any]:
    """Return a record as a document; instead of the bytes of its picture, their number."""
    image = record["image"]
    if image is not None:
        image = {"path": image["path"], "bytes": image["bytes"] and len(image["bytes"])}
    return {"command": "info", "output": output, "record": record | {"image": image}}


def _split(figures: SplitFigures) -> dict[str, Any]:
    return {
        "records": figures.records,
        "pictures": figures.pictures,
        "regions": figures.region_total,
        "masks": figures.masks,
        "captions": figures.captions,
        "shards": figures.shards,
        "bytes": figures.bytes,
        "regions_of_a_record": _spread(figures.regions),
        "longer_side": _spread(figures.sides),
        "boxes": {size: figures.boxes[size] for size in ("small", "medium", "large")},
    }


def _spread(counts: Counter[int]) -> dict[str, Any] | None:
    spread = Spread.of(counts)
    return spread and spread._asdict()
