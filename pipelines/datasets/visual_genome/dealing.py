"""Records of Visual Genome, dealt out into bins of images while their file is read.

A file is read once for all splits, in slices of whole records. What a bin gets of a slice is a
page, and no more than a slice is held of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from pipelines.datasets.common.bins import bin_of
from pipelines.datasets.common.entries import Refused, rejections
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import Raw, malformed
from pipelines.datasets.visual_genome.images import Images
from pipelines.datasets.visual_genome.records import NO_ID, RecordKind, decode_list
from schemas.rejection import Reason, Rejected
from schemas.source import Count, Entry, SplitInput


class Page(msgspec.Struct, order=True, array_like=True):
    """Records of one bin, from a slice of a file."""

    role: str  # of the file
    number: int  # of the slice, from 0
    records: bytes  # a JSON list, in the order of the file


@dataclass(slots=True, kw_only=True)
class RecordDealer:
    """What deals out the records of one file for a split; it counts what of them is the split's."""

    role: str  # of the file
    name: str  # of the file
    kind: RecordKind
    images: Images  # of the split
    bins: int
    records: int = 0  # dealt out so far
    read: int = 0  # items of the split in the whole file
    left_out: int = 0  # items of images that the limit leaves out
    refused: list[Refused] = field(default_factory=list)  # records without an image

    def deal_out(self, number: int, records: Sequence[Raw]) -> Iterator[tuple[int, bytes]]:
        """Yield the pages of a slice, packed, each with the number of its bin; count items."""
        for position, some in enumerate(self._deal(records)):
            if some:
                page = Page(self.role, number, b"[%b]" % b",".join(some))
                yield position, msgspec.msgpack.encode(page)

    def decode(self, content: bytes, path: str) -> Sequence[Raw]:
        """Return the records of the whole file, undecoded, or raise `InputFileError`."""
        return decode_list(content, path)

    def entries(self, split: SplitInput) -> Iterator[Entry]:
        """Yield what is known of the items without their images, once all is dealt out."""
        for kind in self.kind.counted:
            yield Count(kind, "read", self.read)
            yield from rejections(split, kind, self.refused)
            yield Count(kind, "sampled_out", self.left_out)

    def _deal(self, records: Sequence[Raw]) -> list[list[Raw]]:
        """Return the records of each bin, and count their items."""
        texts: list[list[Raw]] = [[] for _ in range(self.bins)]
        members = self.images.members
        for position, raw in enumerate(records, start=self.records):
            name = f"{self.name}[{position}]"
            try:
                record = decode_json(self.kind.decoder, raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if members is None:
                    self.read += 1  # the number of items is unknown
                    self.refused.append((name, malformed(error)))
                continue
            image_id = record.image_id
            if members is not None and image_id not in members:
                continue
            self.read += len(record.items)
            if image_id == NO_ID:
                cause = Rejected(Reason.MALFORMED, f"{name} does not say of which image")
                self.refused += [(item, cause) for item in self.kind.names(record.items, name)]
            elif self.images.leaves_out(image_id):
                self.left_out += len(record.items)
            else:
                texts[bin_of(image_id, self.bins)].append(raw)
        self.records += len(records)
        return texts
