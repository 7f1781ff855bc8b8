"""A build that a forger changes: sizes, hashes and counts are made to fit again."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import yaml

from pipelines.card.card import front_matter
from pipelines.verify import verify
from schemas.manifest import Manifest
from schemas.shard import SCHEMA

SHARD = "coco/train-00001-of-00004.arrow"


def turns_of(rows) -> dict[str, dict[str, int]]:
    """Count turns and the words of answers by task."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"turns": 0, "words": 0})
    for row in rows:
        for task, answer in zip(row["turn_tasks"], row["messages"][1::2], strict=False):
            counts[task]["turns"] += 1
            counts[task]["words"] += len((answer["content"] or "").split())
    return dict(counts)


class Build:
    """A build, and what may be done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.turns: dict[str, dict[str, int]] = {}  # of the rows that were last written

    def problems(self, **options) -> list[str]:
        return verify(str(self.folder), **options).problems

    def json(self, name: str):
        return json.loads((self.folder / name).read_bytes())

    def write_json(self, name: str, value) -> None:
        (self.folder / name).write_text(json.dumps(value), encoding="utf-8")

    def rows(self):
        with pa.ipc.open_stream(self.folder / SHARD) as stream:
            return stream.read_all().to_pylist()

    def write_rows(self, rows, schema: pa.Schema = SCHEMA) -> int:
        """Write a shard's rows in two batches; return where the second begins."""
        self.turns = turns_of(rows)
        with (self.folder / SHARD).open("wb") as file, pa.ipc.new_stream(file, schema) as stream:
            stream.write_batch(pa.RecordBatch.from_pylist(rows[:5], schema))
            second = file.tell()
            stream.write_batch(pa.RecordBatch.from_pylist(rows[5:], schema))
        return second

    def seal(self, rows: int | None = None) -> None:
        """Make the manifest and the card fit the shard, as a forger would."""
        manifest, content = self.json("manifest.json"), (self.folder / SHARD).read_bytes()
        (entry,) = [entry for entry in manifest["shards"] if entry["path"] == SHARD]
        entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        entry["rows"] = entry["rows"] if rows is None else rows
        entry["turns"] = self.turns or entry["turns"]
        self.write_json("manifest.json", manifest)
        front = yaml.safe_dump(front_matter("all", Manifest.model_validate(manifest)))
        (self.folder / "README.md").write_text(f"---\n{front}---\n", encoding="utf-8")

    def forge(self, *path_and_value) -> str:
        """Replace a value of the third row and seal; return the row's id as it then is."""
        *path, last, value = path_and_value
        rows = self.rows()
        inner = rows[2]
        for key in path:
            inner = inner[key]
        inner[last] = value(inner[last]) if callable(value) else value
        self.write_rows(rows)
        self.seal()
        return str(rows[2]["id"])
