"""Records of Visual Genome, dealt out into bins of images while their file is read.

A file is read once, in slices of whole records. What a bin gets of a slice is a page, and no more
than a slice is held of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from pipelines.datasets.common.bins import bin_of
from pipelines.datasets.common.entries import Refused, rejections
from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import Raw, malformed
from pipelines.datasets.common.slices import JsonStream
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.visual_genome.images import Images
from pipelines.datasets.visual_genome.records import NO_ID, RecordKind, decode_list
from schemas.rejection import Reason, Rejected
from schemas.source import Count, Entry, SplitInput, Store

_RECORDS = 5_000  # in a slice of a file that is read as a whole


class Page(msgspec.Struct, order=True, array_like=True):
    """Records of one bin, from a slice of a file."""

    role: str  # of the file
    number: int  # of the slice, from 0
    records: bytes  # a JSON list, in the order of the file


@dataclass(slots=True)
class FileCounts:
    """What is known of a file when its records are dealt out."""

    role: str
    kind: RecordKind
    read: int = 0  # items of the split in the whole file
    left_out: int = 0  # items of images that the limit leaves out
    refused: list[Refused] = field(default_factory=list)  # records without an image

    def entries(self, split: SplitInput) -> Iterator[Entry]:
        """Yield what is known of the items without regard to their images."""
        for kind in self.kind.counted:
            yield Count(kind, "read", self.read)
            yield from rejections(split, kind, self.refused)
            yield Count(kind, "sampled_out", self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealer:
    """What deals out the records of a split's files."""

    split: SplitInput
    store: Store
    images: Images  # of the split
    bins: int

    def deal_out(self, counts: FileCounts) -> Iterator[tuple[int, bytes]]:
        """Yield the pages of a file, packed, each with the number of its bin; fill in the counts.

        Raises:
            InputFileError: the file as a whole cannot be used.
        """
        path = self.split.files.get(counts.role)
        if path is None:
            return
        name, positions = path.rsplit("/", 1)[-1], count()
        for number, records in enumerate(_slices(path, self.store)):
            named = ((f"{name}[{next(positions)}]", raw) for raw in records)
            for position, some in enumerate(self._deal(counts, named)):
                if some:
                    page = Page(counts.role, number, b"[%b]" % b",".join(some))
                    yield position, msgspec.msgpack.encode(page)

    def _deal(self, counts: FileCounts, records: Iterator[tuple[str, Raw]]) -> list[list[Raw]]:
        """Return the named records of each bin, and count them."""
        texts: list[list[Raw]] = [[] for _ in range(self.bins)]
        members = self.images.members
        for name, raw in records:
            try:
                record = decode_json(counts.kind.decoder, raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if members is None:
                    counts.read += 1  # the number of items is unknown
                    counts.refused.append((name, malformed(error)))
                continue
            image_id = record.image_id
            if members is not None and image_id not in members:
                continue
            counts.read += len(record.items)
            if image_id == NO_ID:
                cause = Rejected(Reason.MALFORMED, f"{name} does not say of which image")
                counts.refused += [(item, cause) for item in counts.kind.names(record.items, name)]
            elif self.images.leaves_out(image_id):
                counts.left_out += len(record.items)
            else:
                texts[bin_of(image_id, self.bins)].append(raw)
        return texts


def _slices(path: str, store: Store) -> Iterator[Sequence[Raw]]:
    """Yield the records of a file in slices.

    From where a file is not sound JSON, or if it is packed, it is read as a whole.
    """
    number = 0
    try:
        with store.open(path) as file:
            stream = JsonStream(file)
            for some in stream.items(RAWS):
                number += some.number
                yield some.items or ()
            stream.expect(b"")
            return
    except msgspec.DecodeError:
        pass
    records = decode_list(read_text(store, path), path)
    for start in range(number, len(records), _RECORDS):
        yield records[start : start + _RECORDS]
