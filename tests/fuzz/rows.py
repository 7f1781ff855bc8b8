"""Damaged shards, by the hundred in one `verify`.

Every shard of a sound build is damaged in a way of its own: values of rows, the order of rows, the
schema, the form of buffers, or plain bytes. Half of them are sealed, as a forger would: size, hash
and counts in the manifest are made to fit again. `verify` must end with a report that names every
shard that is not sealed, and every sealed one whose damage the contract of a row forbids.
"""

import hashlib
import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from schemas.errors import VerifyError
from schemas.shard import SCHEMA
from tests.fuzz import json_faults
from tests.fuzz.builds import MEMORY_BYTES
from tests.fuzz.byte_faults import OPERATORS as BYTE_OPERATORS
from tests.fuzz.odd_values import TEXTS
from tests.fuzz.result import Result, faults_in
from tests.fuzz.watch import watched

Rows = list[dict[str, Any]]
Forgery = Callable[[Random, Rows], None]  # what the contract of a row forbids


def _set(*path_and_value: Any) -> Forgery:
    """Return a forgery that sets a value of the first row; a callable makes it of the old one."""
    *path, last, value = path_and_value

    def forge(_: Random, rows: Rows) -> None:
        inner: Any = rows[0]
        for key in path:
            inner = inner[key]
        inner[last] = value(inner[last]) if callable(value) else value

    return forge


FORGERIES: dict[str, Forgery] = {
    "box outside": _set("regions", 0, "bbox", [0.0, 0.0, 9_999.0, 5.0]),
    "box inverted": _set("regions", 0, "bbox", lambda box: [*box[2:], *box[:2]]),
    "box not finite": _set("regions", 0, "bbox", [math.nan, 0.0, 5.0, 5.0]),
    "mask of another size": _set("regions", 0, "mask", {"size": [3, 3], "counts": "9"}),
    "mask that is none": _set("regions", 0, "mask", "counts", "~~~~"),
    "mask without end": _set("regions", 0, "mask", "counts", "o" * 30),
    "score beyond 1": _set("regions", 0, "score", 7.5),
    "picture of another row": _set("image", "bytes", lambda content: content[:-9] + bytes(9)),
    "picture cut short": _set("image", "bytes", lambda content: content[: len(content) // 2]),
    "no picture": _set("image", "bytes", b""),
    "hash of another": _set("image_hash", "xxh128:" + "0" * 32),
    "another size": _set("width", lambda width: width + 1),
    "another source": _set("source", "elsewhere"),
    "another split": _set("split", "elsewhere"),
    "unknown role": _set("messages", 0, "role", "tool"),
    "placeholder too many": _set("messages", 1, "content", "<region99> is red."),
    "two pictures": _set("messages", 0, "content", lambda text: f"<image>{text}"),
    "stop string": _set("messages", 1, "content", "yes<|im_end|>"),
    "control character": _set("messages", 1, "content", "red\x1b[31m"),
    "hidden direction": _set("messages", 1, "content", "red\u202egnp"),
    "no turns": _set("messages", []),
    "unknown task": _set("task", "cooking"),
    "id of another row": _set("id", "coco/train/0/x/0"),
    "no provenance": _set("provenance", "recipe", "other"),
}
# The turns that a forger counts anew do not fit rows without turns.


def _odd_value(chance: Random, rows: Rows) -> None:
    """Replace a value somewhere by another one, which the contract may allow."""
    spot = json_faults.random_spot(chance, chance.choice(rows))
    if spot is None:
        return
    value = spot.value
    if isinstance(value, str):
        spot.put(chance.choice([text for text in TEXTS if text.isascii()]))
    elif isinstance(value, bytes):
        spot.put(value[: chance.randrange(len(value) + 1)])
    elif isinstance(value, int | float):
        spot.put(type(value)(chance.choice([0, -1, 1, 7, 65_501])))
    elif isinstance(value, list):
        spot.put(chance.choice([[], value[:-1], value * 2]))
    else:
        spot.put(None)


def _written(rows: Rows, schema: pa.Schema = SCHEMA, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
    return bytes(sink.getvalue())


def _in_form(chance: Random, rows: Rows) -> bytes:
    """Return rows in another form of stream, which readers other than ours may take."""
    metadata = SCHEMA.metadata
    return chance.choice(
        [
            lambda: _written(rows, compression="zstd"),
            lambda: _written(rows, compression="lz4"),
            lambda: _written(rows, SCHEMA.remove_metadata()),
            lambda: _written(rows, SCHEMA.with_metadata({**metadata, b"more": b"x"})),
            lambda: _written(rows, SCHEMA.with_metadata({**metadata, b"regionforge": b"{}"})),
            lambda: _written(rows[::-1]) if len(rows) > 1 else _written(rows * 2),
            lambda: _written(rows * 2),
            lambda: _written([]),
        ]
    )()


def _damaged(chance: Random, content: bytes) -> tuple[bytes, str, bool]:
    """Return a damaged shard, the operator, and whether `verify` must refuse it though sealed."""
    with pa.ipc.open_stream(content) as stream:
        rows = stream.read_all().to_pylist()
    way = chance.random() if rows else 1.0
    if way < 0.5:
        name = chance.choice(list(FORGERIES))
        try:
            FORGERIES[name](chance, rows)
            return _written(rows), name, True
        except (TypeError, IndexError):  # a row without regions, or a region without a mask
            way = 1.0
    if way < 0.65:
        return _in_form(chance, rows), "form of the stream", True
    if way < 0.8:
        try:
            _odd_value(chance, rows)
            return _written(rows), "odd value", False
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, TypeError):
            way = 1.0
    name = chance.choice(["bits flipped", "cut short", "cut out", "zeros", "junk inserted",
                          "bytes repeated", "another file"])  # fmt: skip
    return BYTE_OPERATORS[name](chance, content, ()), name, False


def _build(world: Path, output: Path) -> None:
    source = SourceRequest(name="coco", year=2017, label_set="Shapes-15")
    recipe = Recipe(sources=(source,), shard_bytes=12_000, guard=False, allow_missing=True)
    launch(make_plan(recipe, str(world), str(output)), LaunchOptions())


def run_rows(world: Path, folder: Path, numbers: Iterable[int], seed: int) -> Iterator[Result]:
    """Yield the outcome of each verification."""
    sound = folder / "sound"
    _build(world, sound)
    assert verify(str(sound)).problems == []
    for number in numbers:
        chance = Random(f"rows {seed} {number}")
        yield _verified(sound, folder / "doctored", f"rows:{number}", chance)


def _verified(sound: Path, output: Path, name: str, chance: Random) -> Result:
    began, faults = time.monotonic(), list[str]()
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(sound, output)
    manifest = json.loads((output / "manifest.json").read_bytes())
    operators: Counter[str] = Counter()
    wanted: dict[str, str] = {}
    for entry in manifest["shards"]:
        path = output / entry["path"]
        content = path.read_bytes()
        damaged, operator, must = _damaged(chance, content)
        sealed = chance.random() < 0.5
        path.write_bytes(damaged)
        operators[operator] += 1
        if damaged != content and (must or not sealed):
            wanted[entry["path"]] = f"{operator}, {'sealed' if sealed else 'not sealed'}"
        if sealed:
            entry |= {"bytes": len(damaged), "sha256": hashlib.sha256(damaged).hexdigest()}
    (output / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    outcome, problems = "failed", list[str]()
    with watched(output, memory=MEMORY_BYTES) as seen, faults_in(faults):
        try:
            problems = verify(str(output)).problems
            outcome = "refused"
        except VerifyError as error:
            faults.append(f"no report: {error!s:.300}")
    text = "\n".join(problems)
    if outcome == "refused":
        faults += [f"{path} passes: {why}" for path, why in wanted.items() if path not in text]
    return Result(
        case=name,
        target="rows",
        operators=list(operators.elements()),
        outcome=outcome,
        faults=[*faults, *seen.faults],
        mutations=operators.total(),
        seconds=time.monotonic() - began,
    )
