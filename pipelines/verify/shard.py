"""The check of one shard: its bytes, its stream, its rows and their pictures."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import pyarrow as pa

from pipelines.shards.reader import DAMAGE, HashingSource, ShardStream
from pipelines.storage import files
from pipelines.verify.identity import Stamp, stamp_problems
from pipelines.verify.order import RowOrder
from pipelines.verify.picture import Roots, picture_problem
from schemas import shard as contract
from schemas.check import Row, check_record
from schemas.counted import counted
from schemas.manifest import ImagesMode, Shard, TurnCount

DIGEST_BYTES = 16
MAX_LINES = 100  # the largest number of reported problems of one shard's rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The description of one shard to verify."""

    output: str
    shard: Shard
    size: int  # the size of its file, bytes
    images: ImagesMode
    roots: Roots
    owners_masks: bool  # whether masks are as annotated, neither dilated nor eroded
    stamp: Stamp  # what the provenance of every record should hold
    evaluation: bool  # True: every record has entries in `evaluation`; False: none has
    counted: bool  # whether the manifest counts turns; older programs did not


@dataclass(slots=True, kw_only=True)
class Finding:
    """The problems of one shard, and the numbers of rows and bytes that were read."""

    path: str  # below the output
    problems: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    turns: Counter[str] = field(default_factory=Counter)  # by task
    words: Counter[str] = field(default_factory=Counter)  # of assistant messages, by task
    ids: bytearray = field(default_factory=bytearray)  # a digest of each row's id, in order


def verify_shard(job: Job) -> Finding:
    """Return the problems of a shard, which is read once; damage is a problem, not an error."""
    finding = Finding(path=job.shard.path)
    lines: list[str] = []
    try:
        with files.open_read(files.join(job.output, job.shard.path)) as file:
            source = HashingSource(file, job.size)
            lines += _capped(_stream_problems(source, job, finding))
            source.drain()
            finding.bytes = source.bytes
            lines[:0] = _file_problems(source, job.shard)
    except OSError as error:
        lines.append(f"cannot be read: {error}")
    if finding.rows != job.shard.rows:
        lines.append(
            f"{counted(finding.rows, 'row')}, expected {job.shard.rows} as in the manifest"
        )
    elif job.counted or job.shard.turns:
        lines += _count_problems(finding, job.shard)
    finding.problems += [f"{job.shard.path}: {line}" for line in lines]
    return finding


def _count_problems(finding: Finding, shard: Shard) -> Iterator[str]:
    """Yield the differences between the turns that were read and those of the manifest."""
    for task in sorted(finding.turns.keys() | shard.turns.keys()):
        read = finding.turns[task], finding.words[task]
        stated = shard.turns.get(task, TurnCount(turns=0, words=0))
        if read != (stated.turns, stated.words):
            yield (
                f"{read[0]} turns of {task} with {read[1]} words, expected {stated.turns} with "
                f"{stated.words} as in the manifest"
            )


def _count_turns(row: Row, finding: Finding) -> None:
    messages = [message for message in row["messages"] or () if message]
    answers = [message for message in messages if message["role"] == "assistant"]
    for task, message in zip(row["turn_tasks"] or (), answers, strict=False):
        finding.turns[task] += 1
        finding.words[task] += len((message["content"] or "").split())


def _file_problems(source: HashingSource, shard: Shard) -> Iterator[str]:
    if source.bytes != shard.bytes:
        yield f"{source.bytes} bytes, expected {shard.bytes} as in the manifest"
    elif source.sha256() != shard.sha256:
        yield f"SHA-256 is {source.sha256()}, expected {shard.sha256} as in the manifest"


def _stream_problems(source: HashingSource, job: Job, finding: Finding) -> Iterator[str]:
    try:
        stream = ShardStream(source)
        if difference := _difference(stream.schema):
            yield f"not the Arrow schema of version {contract.VERSION}: {difference}"
            return
        order = RowOrder(job.shard)
        for batch in stream:
            for row in batch.to_pylist():
                finding.rows += 1
                finding.ids += digest_of(row["id"])
                _count_turns(row, finding)
                for problem in (*order.problems(row), *_row_problems(row, job)):
                    yield f"row {row['id'] or finding.rows!r}: {problem}"
    except DAMAGE as error:
        yield f"not a whole Arrow stream: {error} (after {counted(finding.rows, 'row')})"


def _row_problems(row: Row, job: Job) -> Iterator[str]:
    stated, expected = (row["source"], row["split"]), (job.shard.config, job.shard.split)
    if stated != expected:
        yield f"source and split are {stated}, expected {expected}"
    if job.evaluation and not row["evaluation"]:
        yield "evaluation is empty, expected what the record is scored by"
    if not job.evaluation and row["evaluation"]:
        yield "evaluation has entries, expected none, for the recipe is no evaluation"
    if row["provenance"]:
        yield from stamp_problems(row["provenance"], job.stamp)
    yield from check_record(row, owners_masks=job.owners_masks)
    if problem := picture_problem(row, job.images, job.roots):
        yield problem


def digest_of(record_id: str | None) -> bytes:
    """Return a digest of an id, `DIGEST_BYTES` long, by which ids are compared."""
    return blake2b((record_id or "").encode(), digest_size=DIGEST_BYTES).digest()


def _difference(schema: pa.Schema) -> str | None:
    if schema.equals(contract.SCHEMA, check_metadata=True):
        return None
    if schema.names != contract.SCHEMA.names:
        return f"its fields are {', '.join(schema.names)}"
    for actual, expected in zip(schema, contract.SCHEMA, strict=True):
        if not actual.equals(expected, check_metadata=True):
            return f"{actual.name} is {actual.type}, expected {expected.type}"
    return f"its metadata is {schema.metadata}"


def _capped(lines: Iterable[str]) -> list[str]:
    """Return the first lines, and a line with the number of the others."""
    kept: list[str] = []
    more = 0
    for line in lines:
        if len(kept) < MAX_LINES:
            kept.append(line)
        else:
            more += 1
    return [*kept, f"and {more} more problems"] if more else kept
