"""Captions of RecapD, as their shards have them.

Captions are long, and of most regions none may be wanted. So the images of a split come with notes
of which of their regions have one, and what it says is looked up where the region is taken. Of
the shards of this machine only the pages that are looked at are read: they are mapped into memory.
"""

import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from pipelines.captions.manifest import load_recapd
from pipelines.datasets.common.entries import rejection
from pipelines.recipes.recap import CONFIG
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.shards.reader import DAMAGE, read_columns
from pipelines.storage import files
from schemas.errors import InputFileError
from schemas.item import CaptionProvenance, Description, PendingDescription
from schemas.rejection import Kind, Reason, Rejected
from schemas.source import Count, Entry, SourceImage, SplitInput

COLUMNS = ("id", "regions", "provenance")

Names = list[str | None]  # of regions
Row = tuple[pa.RecordBatch, int]  # rows of a shard, and the place of one of them


def with_captions(entries: Iterable[Entry], split: SplitInput) -> Iterator[Entry]:
    """Yield the entries of a split; images have an item for each of their captions.

    Args:
        entries: of a part of the split.
        split: that part, with the manifest of an output of `recap` under `RECAPD_ROLE`.

    Raises:
        InputFileError: a shard of the captions cannot be used.
    """
    named = _region_ids(split)
    yield Count(Kind.SENTENCE, "read", sum(map(len, named.values())))
    for entry in entries:
        if isinstance(entry, SourceImage) and (own := named.pop(entry.image.image_id, None)):
            items = yield from _pending(split, own)
            yield replace(entry, items=(*entry.items, *items))
        else:
            yield entry
    for image_id, left in named.items():
        yield from _without_image(split, image_id, left)


def _region_ids(split: SplitInput) -> dict[str, Names]:
    """Return the ids of the regions that have captions, by image, for the images of a part."""
    found: dict[str, Names] = defaultdict(list)
    for batch in _batches(split):
        regions = batch.column("regions")
        for image_id, place in _owned(batch, split):
            if (own := regions[place].values) is not None:
                found[image_id] += own.field("region_id").to_pylist()
    return found


def _batches(split: SplitInput) -> Iterator[pa.RecordBatch]:
    """Yield what there is of a split's captions, in order."""
    for path, shard in load_recapd(split.files[RECAPD_ROLE]).shards(split.split):
        number = 0
        try:
            for batch in read_columns(path, COLUMNS):
                number += len(batch)
                yield batch
        except DAMAGE as error:
            raise InputFileError(f"{path} is not a whole shard of captions: {error}") from None
        if number != shard.rows:
            raise InputFileError(
                f"{path} has {number} rows, expected {shard.rows} as in the manifest"
            )


def _owned(batch: pa.RecordBatch, split: SplitInput) -> Iterator[tuple[str, int]]:
    """Yield the rows of a part's images: image ids and places."""
    for place, record_id in enumerate(batch.column("id").to_pylist()):
        image_id = _image_of(record_id, split)
        if split.owns(image_id):
            yield image_id, place


def _image_of(record_id: str | None, split: SplitInput) -> str:
    """Return the image id in the id of a record, as `schemas.ids.sample_id` makes it."""
    start, parts = f"{CONFIG}/{split.split}/", (record_id or "").rsplit("/", 2)
    if not parts[0].startswith(start):
        raise InputFileError(
            f"{split.files[RECAPD_ROLE]}: its shards have a row with the id {record_id!r}, "
            f"expected {start}IMAGE/TASK/NUMBER"
        )
    return parts[0].removeprefix(start)


def _pending(
    split: SplitInput, names: Names
) -> Generator[Entry, None, tuple[PendingDescription, ...]]:
    """Yield the captions of an image that cannot be used, and return the others."""
    found: dict[str, PendingDescription] = {}
    for region_id in names:
        if region_id is None:
            cause = Rejected(Reason.MALFORMED, "expected the id of the region that it describes")
            yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)
        elif region_id in found:
            cause = Rejected(Reason.DUPLICATE_ID, f"region {region_id} has another caption")
            yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)
        else:
            found[region_id] = PendingDescription(_item_id(region_id), region_id)
    return tuple(found.values())


def _item_id(region_id: str | None) -> str:
    return f"{CONFIG}/{region_id}"  # the source's own items have other ids


def _without_image(split: SplitInput, image_id: str, names: Names) -> Iterator[Entry]:
    """Yield what becomes of the captions of an image that the split does not yield."""
    if split.limit is not None:  # then it is most likely one of the others
        yield Count(Kind.SENTENCE, "sampled_out", len(names))
        return
    cause = Rejected(Reason.UNKNOWN_IMAGE, f"the split has no image {image_id} that can be used")
    for region_id in names:
        yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)


class Told(NamedTuple):
    """What a row says of one region; nothing of it is checked."""

    text: str | None
    score: float | None
    by: CaptionProvenance | None


class Captions:
    """What the captions of a split say, by image; of remote shards, all of it is held."""

    def __init__(self, split: SplitInput) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)
        local = files.is_local(split.files[RECAPD_ROLE])
        for batch in _batches(split):
            held = batch if local else batch.take(pa.array(range(len(batch))))  # without pictures
            for image_id, place in _owned(batch, split):
                self._rows[image_id].append((held, place))

    def of(self, image_id: str) -> dict[str | None, Told]:
        """Return what is said of the regions of an image, by id; what is said first, stands."""
        found: dict[str | None, Told] = {}
        for batch, place in self._rows.get(image_id, ()):
            by = _captioner(batch, place)
            regions = batch.column("regions")[place].values
            if regions is not None:
                names = ("region_id", "caption", "score")
                columns = (regions.field(name).to_pylist() for name in names)
                for region_id, text, score in zip(*columns, strict=True):
                    found.setdefault(region_id, Told(text, score, by))
        return found


def _captioner(batch: pa.RecordBatch, place: int) -> CaptionProvenance | None:
    names = ("captioner_model", "captioner_sampling", "global_caption")
    provenance = batch.column("provenance")
    model, sampling, spoken = (provenance.field(name)[place].as_py() for name in names)
    return None if model is None or sampling is None else CaptionProvenance(model, sampling, spoken)


def description(pending: PendingDescription, told: Told) -> Description:
    """Return a caption as an item.

    Raises:
        Rejected: a part of it is missing, or its score is no number.
    """
    if told.text is None or told.by is None:
        raise Rejected(Reason.MALFORMED, "expected a caption, and the captioner that wrote it")
    if told.score is not None and not math.isfinite(told.score):
        raise Rejected(Reason.MALFORMED, f"its score is {told.score}, expected a number")
    return Description(pending.id, pending.region_id, told.text, told.score, told.by)
