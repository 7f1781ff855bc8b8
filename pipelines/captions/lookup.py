"""Captions of RecapD, read from the shards of a finished `recap`.

Captions are long, and a build may leave most of them unused. So the images of a split first come
with a `CaptionRef` for each region that has a caption; the text is looked up once the build has
taken the region. Local shards are mapped into memory, so that only the pages in use are read.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from pipelines.captions.manifest import load_recapd
from pipelines.datasets.common.bins import in_bins
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.raw_items import as_number
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


class Captioned(msgspec.Struct):
    """The ids of the regions that have captions, by image: of a split, or of one of its bins."""

    ids: dict[str, RegionIds]
    refused: set[str] = msgspec.field(default_factory=set)  # images that are known to be refused

    @property
    def total(self) -> Count:
        """The number of captions."""
        return Count(Kind.SENTENCE, "read", sum(map(len, self.ids.values())))

    @classmethod
    def unpacked(cls, packed: bytes) -> "Captioned":
        """Return the captions of a bin."""
        return msgspec.msgpack.decode(packed, type=cls)

    def noting_refused(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield entries, and note which images they refuse."""
        for entry in entries:
            if isinstance(entry, Rejection) and entry.kind is Kind.IMAGE:
                self.refused.add(entry.id)
            yield entry

    def in_bins(self, bins: int) -> Iterator[tuple[int, bytes]]:
        """Yield the captions of each bin that has some, packed, with the number of the bin."""
        by_number = {as_number(key): key for key in self.ids}
        for number, image_ids in enumerate(in_bins(by_number, bins)):
            if ids := {key: self.ids[key] for key in image_ids.values()}:
                some = Captioned(ids, self.refused & ids.keys())
                yield number, msgspec.msgpack.encode(some)


def open_captions(split: SplitInput) -> Captioned:
    """Return what regions of a whole split have captions.

    Args:
        split: the split, with the manifest of an output of `recap` under `RECAPD_ROLE`.

    Raises:
        InputFileError: a shard of the captions cannot be used.
    """
    by_image: dict[str, RegionIds] = defaultdict(list)
    for batch in _batches(split):
        regions = batch.column("regions")
        for image_id, row in _rows(batch, split):
            if (values := regions[row].values) is not None:
                by_image[image_id] += values.field("region_id").to_pylist()
    return Captioned(dict(by_image))


def with_captions(
    entries: Iterable[Entry], split: SplitInput, captioned: Captioned
) -> Iterator[Entry]:
    """Yield entries, where images have a `CaptionRef` for each of their captions.

    Args:
        entries: the entries of a split, or of one of its bins.
        split: the split.
        captioned: what has captions there.
    """
    ids = dict(captioned.ids)
    for entry in captioned.noting_refused(entries):
        if isinstance(entry, SourceImage) and (known := ids.pop(entry.image.image_id, None)):
            items = yield from _caption_refs(split, known)
            yield replace(entry, items=(*entry.items, *items))
        else:
            yield entry
    for image_id, lost in ids.items():
        if image_id in captioned.refused:
            yield Count(Kind.SENTENCE, "with_image", len(lost))
        else:
            yield from _without_image(split, image_id, lost)


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


def _rows(batch: pa.RecordBatch, split: SplitInput) -> Iterator[tuple[str, int]]:
    """Yield the image id and the row number of each row that has all captions of an image."""
    for row, record_id in enumerate(batch.column("id").to_pylist()):
        image_id = _image_of(record_id, split)
        if image_id is not None:
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
            for image_id, row in _rows(batch, split):
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
