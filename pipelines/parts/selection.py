"""The selection of records from an output."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.output.records import shard_columns
from pipelines.parts.part import Part, SplitKey
from schemas.errors import UsageError
from schemas.ids import image_of
from schemas.near import near


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The records to take; None: of all."""

    sources: Collection[str] | None = None
    splits: Collection[str] | None = None
    tasks: frozenset[str] | None = None  # a record is taken if all of its turns are of these
    ids: frozenset[str] | None = None
    limit: int | None = None  # pictures of each split: those first in the order of the shards

    @property
    def of_records(self) -> bool:
        """Whether records of a split are left out."""
        return self.tasks is not None or self.ids is not None or self.limit is not None

    def settings(self) -> dict[str, Any]:
        """Return what decides which records of a split are taken, as a JSON object."""
        ids = None
        if self.ids is not None:
            lines = "".join(f"{name}\n" for name in sorted(self.ids))
            ids = hashlib.sha256(lines.encode()).hexdigest()
        return {"tasks": self.tasks and sorted(self.tasks), "ids": ids, "limit": self.limit}

    def splits_of(self, part: Part) -> list[SplitKey]:
        """Return the splits of an output to take records from.

        Raises:
            UsageError: the output has no such source, split or task.
        """
        known = part.splits()
        tasks = {task for shard in part.manifest.shards for task in shard.turns}
        for what, named, there in (
            ("source", self.sources, {config for config, _ in known}),
            ("split", self.splits, {split for _, split in known}),
            ("task", self.tasks, tasks),
        ):
            for name in named or ():
                if name not in there:
                    raise UsageError(
                        f"{part.output} has no {what} {name!r}; {near(name, sorted(there))}"
                    )
        taken = [
            (config, split)
            for config, split in known
            if (self.sources is None or config in self.sources)
            and (self.splits is None or split in self.splits)
        ]
        if not taken:
            raise UsageError(f"{part.output} has no such split in these sources")
        return taken

    def takes(self, batch: pa.RecordBatch) -> list[bool]:
        """Return whether each record of a batch is taken, whatever the limit."""
        ids, tasks = batch.column("id").to_pylist(), batch.column("turn_tasks").to_pylist()
        return [
            (self.ids is None or record_id in self.ids)
            and (self.tasks is None or self.tasks.issuperset(of_turns))
            for record_id, of_turns in zip(ids, tasks, strict=True)
        ]


@dataclass(slots=True)
class Taken:
    """The records of a split that are taken, counted before anything is written."""

    rows: int = 0
    pictures: int = 0
    last_image: str = ""
    ids: set[str] = field(default_factory=set)  # of those that are named by id


def count_taken(part: Part, key: SplitKey, selection: Selection) -> Taken:
    """Return the number of records and pictures of a split that are taken."""
    taken = Taken()
    for shard in part.shards(key):
        for batch in shard_columns(part.output, shard, ("id", "turn_tasks")):
            ids = batch.column("id").to_pylist()
            for record_id, takes in zip(ids, selection.takes(batch), strict=True):
                if not takes:
                    continue
                if selection.ids is not None:
                    taken.ids.add(record_id)
                image = image_of(record_id)
                if image != taken.last_image:
                    if taken.pictures == selection.limit:
                        if selection.ids is None:
                            return taken
                        continue
                    taken.pictures += 1
                    taken.last_image = image
                taken.rows += 1
    return taken
