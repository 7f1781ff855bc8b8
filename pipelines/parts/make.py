"""`merge` and `subset`: a new output of the records of finished ones.

The flow:
1. the outputs' manifests decide whether and how they fit together, before anything is written;
2. shards of which all records are taken are copied; the others are written anew, picture by
   picture in the order that all outputs share;
3. rejected items, ledger and card follow, and the manifest last, as in a build.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.output.lock import locked_output
from pipelines.output.pictures import Picture, pictures_of
from pipelines.output.reader import names_in
from pipelines.output.records import shard_columns
from pipelines.parts.books import Kept, cut_ledger, united_ledger, write_rejections
from pipelines.parts.card import card_of_parts
from pipelines.parts.identity import cut_identity, united_identity
from pipelines.parts.part import Part, SplitKey, open_part
from pipelines.parts.selection import Selection, Taken, count_taken
from pipelines.parts.shards import copy_shard, write_split
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.layout import CARD, LEDGER, MANIFEST
from schemas.ledger import Ledger
from schemas.manifest import BuildIdentity, Manifest, Shard

OnRows = Callable[[int], None]

_TAKEN_OUT = "Taken out of a build by `regionforge subset`:"
_IMAGE_LICENCE = "; image: "  # what precedes the image's own terms in a record's licence


def merge(outputs: Sequence[str], output: str, on_rows: OnRows = lambda rows: None) -> Manifest:
    """Write the records of several finished outputs as one, and return its manifest.

    Args:
        outputs: the folders of the outputs.
        output: the folder of the new one, in which nothing is yet.
        on_rows: called with numbers of records as they are written.

    Raises:
        UsageError: the outputs do not fit together, or the new folder is not empty.
        InputFileError: an output is not finished, or damaged.
    """
    parts = [open_part(each) for each in outputs]
    identity = united_identity(parts)
    splits = sorted({key for part in parts for key in part.splits()})
    with _new_output(output):
        shards: list[Shard] = []
        for key in splits:
            holders = [part for part in parts if part.shards(key)]
            if len(holders) == 1:
                shards += _copied(holders[0], key, output, on_rows)
            else:
                of = sum(len(part.shards(key)) for part in holders)
                shards += write_split(output, key, of, _interleaved(holders, key, on_rows))
        ledger = united_ledger(parts)
        return _publish(_Records(output, parts, identity, shards, ledger), _united_from(parts))


def subset(
    origin: str, selection: Selection, output: str, on_rows: OnRows = lambda rows: None
) -> Manifest:
    """Write some records of a finished output as a new one, and return its manifest.

    Args:
        origin: the folder of the output.
        selection: the records to take.
        output: the folder of the new one, in which nothing is yet.
        on_rows: called with numbers of records as they are written.

    Raises:
        UsageError: nothing is selected, an id is not there, or the new folder is not empty.
        InputFileError: the output is not finished, or damaged.
    """
    part = open_part(origin)
    splits = selection.splits_of(part)
    taken = _counted(part, splits, selection)
    splits = [key for key in splits if key not in taken or taken[key].rows]
    kept = {key: Kept() for key in taken if taken[key].rows}
    with _new_output(output):
        shards: list[Shard] = []
        for key in splits:
            if key not in kept:
                shards += _copied(part, key, output, on_rows)
                continue
            before = part.shards(key)
            rows = sum(shard.rows for shard in before)
            of = -(-len(before) * taken[key].rows // rows)
            pictures = _selected(pictures_of(origin, before, on_rows), selection, kept[key])
            shards += write_split(output, key, of, pictures)
        identity = cut_identity(part, splits, selection)
        ledger = cut_ledger(part.ledger, splits, kept)
        return _publish(_Records(output, [part], identity, shards, ledger), _TAKEN_OUT)


@dataclass(frozen=True, slots=True)
class _Records:
    """The records of a new output that are written, and what is known of them."""

    output: str
    parts: Sequence[Part]  # the outputs that they come from
    identity: BuildIdentity
    shards: Sequence[Shard]
    ledger: Ledger


@contextmanager
def _new_output(output: str) -> Iterator[None]:
    """Keep other runs from an empty output; what a failed block has written there is deleted."""
    with locked_output(output):
        if names := names_in(output):
            raise UsageError(f"{output} holds files, such as {names[0]}: choose an empty --output")
        try:
            yield
        except BaseException:
            files.delete([files.join(output, name) for name in names_in(output)])
            raise


def _copied(part: Part, key: SplitKey, output: str, on_rows: OnRows) -> Iterator[Shard]:
    for shard in part.shards(key):
        yield copy_shard(part.output, shard, output)
        on_rows(shard.rows)


def _interleaved(parts: Sequence[Part], key: SplitKey, on_rows: OnRows) -> Iterator[Picture]:
    """Yield the pictures of a split of several outputs, in order.

    Raises:
        UsageError: two of them hold the same picture.
    """
    streams = [pictures_of(part.output, part.shards(key), on_rows) for part in parts]
    last: Picture | None = None
    for picture in heapq.merge(*streams, key=lambda each: each.key):
        if last is not None and last.key == picture.key:
            raise UsageError(
                f"two of the builds hold the picture {picture.key[1]} in {'/'.join(key)}: take it "
                "from one of them, or build an own file with another --coco-split"
            )
        yield picture
        last = picture


def _counted(
    part: Part, splits: Sequence[SplitKey], selection: Selection
) -> Mapping[SplitKey, Taken]:
    """Return what is taken of each split; nothing where all records of the splits are taken.

    Raises:
        UsageError: an id is not there, or no record is taken.
    """
    if not selection.of_records:
        return {}
    taken = {key: count_taken(part, key, selection) for key in splits}
    there = set().union(*(of_split.ids for of_split in taken.values()))
    if absent := sorted((selection.ids or frozenset()) - there):
        raise UsageError(
            f"{len(absent):,} of the ids are in no record to choose from in {part.output}, such as "
            f"{absent[0]}"
        )
    if not any(of_split.rows for of_split in taken.values()):
        raise UsageError(f"no record of {part.output} is chosen")
    return taken


def _selected(pictures: Iterator[Picture], selection: Selection, kept: Kept) -> Iterator[Picture]:
    """Yield the pictures with records that are taken, and count these."""
    for picture in pictures:
        if kept.pictures == selection.limit:
            return
        batches = [batch.filter(pa.array(selection.takes(batch))) for batch in picture.batches]
        batches = [batch for batch in batches if batch.num_rows]
        if not batches:
            continue
        kept.pictures += 1
        kept.records += sum(batch.num_rows for batch in batches)
        kept.regions += len(set().union(*map(_region_ids, batches)))
        yield picture._replace(batches=batches)


def _region_ids(batch: pa.RecordBatch) -> set[str]:
    return set(pc.list_flatten(batch.column("regions")).field("region_id").to_pylist())


def _publish(records: _Records, origin: str) -> Manifest:
    """Write the files that describe an output, the manifest last."""
    shards = sorted(records.shards, key=lambda shard: shard.path)
    splits = sorted({(shard.config, shard.split) for shard in shards})
    short = {
        split: counts
        for part in records.parts
        for split, counts in part.manifest.short_categories.items()
        if tuple(split.split("/", 1)) in splits
    }
    manifest = Manifest(
        identity=records.identity,
        shards=shards,
        rejected=write_rejections(records.output, records.parts, splits),
        short_categories=short,
    )
    licences = {key: _licences(records.output, shards, key) for key in splits}
    content = {
        LEDGER: records.ledger.model_dump_json(indent=2, exclude_defaults=True).encode(),
        CARD: card_of_parts(manifest, records.ledger, licences, origin),
        MANIFEST: manifest.model_dump_json(indent=2).encode(),
    }
    for name, written in content.items():
        files.write_whole(files.join(records.output, name), written)
    return manifest


def _licences(output: str, shards: Sequence[Shard], key: SplitKey) -> list[str]:
    """Return the terms of a split's annotations, which begin each record's licence."""
    stated: set[str] = set()
    for shard in shards:
        if (shard.config, shard.split) == key:
            for batch in shard_columns(output, shard, ("licence",)):
                stated.update(batch.column("licence").unique().to_pylist())
    return sorted({licence.partition(_IMAGE_LICENCE)[0] for licence in stated})


def _united_from(parts: Sequence[Part]) -> str:
    return f"United from {len(parts)} builds by `regionforge merge`:"
