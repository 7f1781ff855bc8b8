"""Captions of RecapD, read from the shards of a finished `recap`.

Captions are long, and a build may leave most of them unused. So the images of a split first come
with a `CaptionRef` for each region that has a caption; the text is looked up once the build has
taken the region. Local shards are mapped into memory, so that only the pages in use are read.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from pipelines.captions.manifest import load_recapd
from pipelines.datasets.common.entries import rejection
from pipelines.recipes.recap import CONFIG
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.shards.reader import DAMAGE, read_columns
from pipelines.storage import files
from schemas.check_labels import attribute_problems, caption_problems
from schemas.errors import InputFileError
from schemas.item import Attribute, CaptionProvenance, CaptionRef, DetailedCaption, RegionCaption
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SourceImage, SplitInput

_COLUMNS = ("id", "regions", "provenance")

RegionIds = list[str | None]
_RowRef = tuple[pa.RecordBatch, int]  # rows of a shard, and the number of one row


def with_captions(entries: Iterable[Entry], split: SplitInput) -> Iterator[Entry]:
    """Yield the entries of a split, where images have a `CaptionRef` for each of their captions.

    Args:
        entries: the entries of a part of the split.
        split: the part, with the manifest of an output of `recap` under `RECAPD_ROLE`.

    Raises:
        InputFileError: a shard of the captions cannot be used.
    """
    captioned = _region_ids(split)
    yield Count(Kind.SENTENCE, "read", sum(map(len, captioned.values())))
    refused = set()
    for entry in entries:
        if isinstance(entry, Rejection) and entry.kind is Kind.IMAGE:
            refused.add(entry.id)
        if isinstance(entry, SourceImage) and (ids := captioned.pop(entry.image.image_id, None)):
            items = yield from _caption_refs(split, ids)
            yield replace(entry, items=(*entry.items, *items))
        else:
            yield entry
    for image_id, ids in captioned.items():
        if image_id in refused:
            yield Count(Kind.SENTENCE, "with_image", len(ids))
        else:
            yield from _without_image(split, image_id, ids)


def _region_ids(split: SplitInput) -> dict[str, RegionIds]:
    """Return the ids of the regions that have captions, by image, for the images of a part."""
    by_image: dict[str, RegionIds] = defaultdict(list)
    for batch in _batches(split):
        regions = batch.column("regions")
        for image_id, row in _rows_of_part(batch, split):
            if (values := regions[row].values) is not None:
                by_image[image_id] += values.field("region_id").to_pylist()
    return by_image


def _batches(split: SplitInput) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a split's captions, in order."""
    for path, shard in load_recapd(split.files[RECAPD_ROLE]).shards(split.split):
        number = 0
        try:
            for batch in read_columns(path, _COLUMNS):
                number += len(batch)
                yield batch
        except DAMAGE as error:
            raise InputFileError(f"{path} is not a whole shard of captions: {error}") from None
        if number != shard.rows:
            raise InputFileError(
                f"{path} has {number} rows, expected {shard.rows} as in the manifest"
            )


def _rows_of_part(batch: pa.RecordBatch, split: SplitInput) -> Iterator[tuple[str, int]]:
    """Yield the image id and the row number of each row about an image of a part of a split."""
    for row, record_id in enumerate(batch.column("id").to_pylist()):
        image_id = _image_of(record_id, split)
        if image_id is not None and split.owns(image_id):
            yield image_id, row


def _image_of(record_id: str | None, split: SplitInput) -> str | None:
    """Return the image id in the id of a record, as `schemas.ids.sample_id` makes it.

    None: the record asks about captions in another way than the one that has all of them.
    """
    start, parts = f"{CONFIG}/{split.split}/", (record_id or "").rsplit("/", 2)
    if not parts[0].startswith(start):
        raise InputFileError(
            f"{split.files[RECAPD_ROLE]}: its shards have a row with the id {record_id!r}, "
            f"expected {start}IMAGE/TASK/NUMBER"
        )
    return parts[0].removeprefix(start) if parts[1] == Task.REGION_DETAILED_CAPTION else None


def _caption_refs(
    split: SplitInput, ids: RegionIds
) -> Generator[Entry, None, tuple[CaptionRef, ...]]:
    """Yield rejections of an image's unusable captions; return references to the others."""
    refs: dict[str, CaptionRef] = {}
    for region_id in ids:
        if region_id is None:
            cause = Rejected(Reason.MALFORMED, "expected the id of the region that it describes")
            yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)
        elif region_id in refs:
            cause = Rejected(Reason.DUPLICATE_ID, f"region {region_id} has another caption")
            yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)
        else:
            refs[region_id] = CaptionRef(_item_id(region_id), region_id)
    return tuple(refs.values())


def _item_id(region_id: str | None) -> str:
    return f"{CONFIG}/{region_id}"  # the source's own items have other ids


def _without_image(split: SplitInput, image_id: str, ids: RegionIds) -> Iterator[Entry]:
    """Yield a count or rejections of the captions of an image of which the split yields nothing."""
    if split.limit is not None:  # the image is most likely left out by the limit
        yield Count(Kind.SENTENCE, "sampled_out", len(ids))
        return
    cause = Rejected(Reason.UNKNOWN_IMAGE, f"the split has no image {image_id}")
    for region_id in ids:
        yield rejection(split, Kind.SENTENCE, _item_id(region_id), cause)


class CaptionRow(NamedTuple):
    """The caption of one region as it is stored in a shard, unchecked."""

    text: str | None
    captions: list[dict[str, Any]] | None
    attributes: list[dict[str, Any]] | None
    captioner: CaptionProvenance | None


class SplitCaptions:
    """The captions of a split, by image; captions in remote shards are all held in memory."""

    def __init__(self, split: SplitInput) -> None:
        self._rows: dict[str, list[_RowRef]] = defaultdict(list)
        local = files.is_local(split.files[RECAPD_ROLE])
        for batch in _batches(split):
            held = batch if local else batch.take(pa.array(range(len(batch))))  # without pictures
            for image_id, row in _rows_of_part(batch, split):
                self._rows[image_id].append((held, row))

    def of(self, image_id: str) -> dict[str | None, CaptionRow]:
        """Return the captions of an image by region id, the first caption of each region."""
        captions: dict[str | None, CaptionRow] = {}
        for batch, row in self._rows.get(image_id, ()):
            captioner = _captioner(batch, row)
            regions = batch.column("regions")[row].values
            if regions is not None:
                names = ("region_id", "caption", "captions", "attributes")
                columns = (regions.field(name).to_pylist() for name in names)
                for region_id, text, texts, values in zip(*columns, strict=True):
                    captions.setdefault(region_id, CaptionRow(text, texts, values, captioner))
        return captions


class CaptionLookup:
    """The captions of all splits that have captions; each split is read when first needed."""

    def __init__(self, splits: Iterable[SplitInput]) -> None:
        self._splits = {
            (split.source, split.split): split for split in splits if RECAPD_ROLE in split.files
        }
        self._captions: dict[tuple[str, str], SplitCaptions] = {}

    def of(self, image: ImageInfo) -> dict[str | None, CaptionRow] | None:
        """Return the captions of an image by region id; None if the split has no captions."""
        key = image.source, image.split
        if key not in self._splits:
            return None
        if key not in self._captions:
            self._captions[key] = SplitCaptions(self._splits[key])
        return self._captions[key].of(image.image_id)


def _captioner(batch: pa.RecordBatch, row: int) -> CaptionProvenance | None:
    stored = batch.column("provenance")[row].as_py()
    if stored is None or stored["captioner_model"] is None or stored["captioner_sampling"] is None:
        return None
    return CaptionProvenance(
        model=stored["captioner_model"],
        sampling=stored["captioner_sampling"],
        global_caption=stored["global_caption"],
        judge_model=stored["judge_model"],
        scorer=stored["scorer"],
    )


def detailed_caption(ref: CaptionRef, row: CaptionRow) -> DetailedCaption:
    """Return the detailed caption that a reference stands for.

    Raises:
        Rejected: a part of the caption is missing, or breaks a rule of captions.
    """
    if row.text is None or row.captioner is None:
        raise Rejected(Reason.MALFORMED, "expected a caption, and the captioner that wrote it")
    stored = {"caption": row.text, "captions": row.captions, "attributes": row.attributes}
    if problem := next(chain(caption_problems(stored), attribute_problems(stored)), None):
        raise Rejected(Reason.MALFORMED, problem)
    captions = tuple(RegionCaption(**caption) for caption in row.captions or ())
    attributes = tuple(Attribute(**attribute) for attribute in row.attributes or ())
    return DetailedCaption(ref.id, ref.region_id, row.text, captions, row.captioner, attributes)
