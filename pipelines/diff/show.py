"""The difference of two builds, on the console and as a document.

{"command": "diff", "before": "/a", "now": "/b", "same": false,
 "settings": ["coco: per_category (none, now 5)"],
 "splits": [{"source": "coco", "split": "train", "before": 40, "now": 38, "added": 0, "removed": 2,
             "changed": 1, "fields": {"regions": 1}, "categories": {"dog": [12, 9]}}],
 "examples": [{"id": "coco/train/7/region_classification/0", "change": "removed", "fields": []}]}
"""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from pipelines.diff.compare import Change, Difference
from schemas.console import Console, line
from schemas.visible import abridged

_SHIFTS = 8  # categories of a split that are shown
_KINDS = ("added", "removed", "changed")


def print_difference(difference: Difference, examples: Sequence[Change], console: Console) -> None:
    """Print the difference of two builds, with some of the changed records."""
    if difference.same:
        console.print("no difference")
        return
    for text in difference.settings:
        console.print(line(("setting ", "bold"), text), soft_wrap=True)
    console.print(_counts(difference))
    for (source, split), each in difference.splits.items():
        name = f"{source}/{split}"
        if each.fields:
            shown = ", ".join(f"{field} {number:,}" for field, number in each.fields.most_common())
            console.print(line((f"{name} fields ", "bold"), shown), soft_wrap=True)
        if shifts := list(each.shifts().items()):
            shown = ", ".join(
                f"{abridged(name)} {old:,} → {new:,}" for name, (old, new) in shifts[:_SHIFTS]
            )
            more = f", and {len(shifts) - _SHIFTS:,} more" if len(shifts) > _SHIFTS else ""
            console.print(line((f"{name} categories ", "bold"), shown, more), soft_wrap=True)
    for change in examples:
        console.print(
            line(f"{change.change} {change.id} ", (", ".join(change.fields), "dim")), soft_wrap=True
        )


def _counts(difference: Difference) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("source", "split", "before", "now", *_KINDS):
        table.add_column(name, justify="left" if name in ("source", "split") else "right")
    for (source, split), each in difference.splits.items():
        numbers = (each.before, each.now, *(each.changes[kind] for kind in _KINDS))
        table.add_row(source, split, *(f"{number:,}" for number in numbers))
    return table


def difference_json(
    difference: Difference, examples: Sequence[Change], before: str, now: str
) -> dict[str, Any]:
    """Return the difference of two builds, with some of the changed records, as a document."""
    return {
        "command": "diff",
        "before": before,
        "now": now,
        "same": difference.same,
        "settings": difference.settings,
        "splits": [
            {
                "source": source,
                "split": split,
                "before": each.before,
                "now": each.now,
                **{kind: each.changes[kind] for kind in _KINDS},
                "fields": dict(each.fields.most_common()),
                "categories": {name: list(pair) for name, pair in each.shifts().items()},
            }
            for (source, split), each in difference.splits.items()
        ],
        "examples": [change._asdict() for change in examples],
    }
