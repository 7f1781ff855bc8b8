"""The build that was evaluated: what each of its entries asks about, and the regions' pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.output.records import read_records
from schemas.sample import Evaluation

Record = dict[str, Any]  # as in `schemas.shard`


@dataclass(frozen=True, slots=True)
class EvaluationBuild:
    """The entries of a build, and its rows by item."""

    folder: str
    entries: Sequence[tuple[str, Evaluation]] = ()  # with the ids of their records
    _rows: Mapping[str, pa.RecordBatch] = field(default_factory=dict, repr=False)  # one row each

    def record(self, item: str) -> Record | None:
        """Return the record that asks about an item, or None."""
        row = self._rows.get(item)
        if row is None:
            return None
        record: Record = row.to_pylist()[0]
        return record


def read_build(folder: str) -> EvaluationBuild:
    """Return the entries and rows of a build; pictures stay where they are.

    Raises:
        InputFileError: there is no finished build, or a shard is damaged.
    """
    entries: list[tuple[str, Evaluation]] = []
    rows: dict[str, pa.RecordBatch] = {}
    for batch in read_records(folder):
        ids, asked = batch.column("id").to_pylist(), batch.column("evaluation").to_pylist()
        for number, (record_id, values) in enumerate(zip(ids, asked, strict=True)):
            for value in values or ():
                entry = _evaluation(value)
                entries.append((record_id, entry))
                rows.setdefault(entry.item_id, batch.slice(number, 1))
    return EvaluationBuild(folder, entries, rows)


def _evaluation(value: dict[str, Any]) -> Evaluation:
    lists = {name: tuple(value[name] or ()) for name in ("references", "choices")}
    return Evaluation(**(value | lists))
