"""The division of Visual Genome into bins of images: each of its files is read once, by one worker.

That worker reads the file about the images, then deals out the records of the others (`dealing`).
Their items are decoded bin by bin, by all workers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.bins import Division, bin_of, in_bins, number_of_bins
from pipelines.datasets.common.entries import Refused, rejection, rejections
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.visual_genome import records as vg_json
from pipelines.datasets.visual_genome.aliases import Aliases, parse_aliases
from pipelines.datasets.visual_genome.attributes import ATTRIBUTES, add_attributes
from pipelines.datasets.visual_genome.dealing import Page, RecordDealer
from pipelines.datasets.visual_genome.image import ImageAnnotations, add_regions, add_relationships
from pipelines.datasets.visual_genome.images import Images, read_images
from pipelines.datasets.visual_genome.records import RecordKind
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store

_KINDS = {  # by role
    "region_descriptions": vg_json.REGIONS,
    "relationships": vg_json.RELATIONSHIPS,
    "attributes": ATTRIBUTES,
}
_ALIASES = "predicate_alias"  # a role
_BIN_IMAGES = 2_000  # in a bin, with some 30 MiB of records

_Records = dict[ItemId, list[Raw]]  # items of a file by image, undecoded


class _Content(msgspec.Struct, array_like=True):
    """What a bin holds by itself."""

    images: list[ImageInfo]  # those that are read
    refused: set[str]  # the ids of images
    aliases: bytes  # the file


_CONTENT = msgspec.msgpack.Decoder(_Content)
_PAGE = msgspec.msgpack.Decoder(Page)


class VgBin(NamedTuple):
    """Some images of a split; what it holds, and the records, wait apart."""

    split: SplitInput
    number: int  # from 0

    def read(self, store: Store, content: bytes, dealt: Iterable[bytes]) -> Iterator[Entry]:
        """Yield the entries of the images, from the pages that were dealt out to the bin."""
        del store
        some = _CONTENT.decode(content)
        records: dict[str, _Records] = {role: {} for role in _KINDS}
        for page in sorted(map(_PAGE.decode, dealt)):
            _add(records[page.role], page.records, _KINDS[page.role])
        aliases = parse_aliases(some.aliases, self.split.files.get(_ALIASES, ""))
        for image in some.images:
            yield from _annotated(self.split, image, records, aliases)
        for role, left in records.items():
            yield from _without_chosen_image(self.split, left, _KINDS[role], some.refused)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A split whose images were read, and whose other files are read as it is divided."""

    split: SplitInput
    images: Images
    entries: list[Entry]  # about images that are not read
    aliases: bytes  # the file
    files: list[RecordDealer]
    number: int  # of bins

    def as_a_whole(self) -> Iterator[Entry]:
        """Yield the entries of the split as a whole, once all is dealt out."""
        split = self.split
        yield from self.entries
        yield SplitFacts(split.source, split.split, self._shards())
        for file in self.files:
            yield from file.entries(split)

    def bins(self) -> Iterator[tuple[VgBin, bytes]]:
        """Yield the bins, once all is dealt out."""
        shards = self._shards()
        refused: list[set[str]] = [set() for _ in range(self.number)]
        for name in self.images.refused:
            refused[bin_of(as_number(name), self.number)].add(name)
        taken_ids = sorted(self.images.chosen, key=str)
        chosen = {image_id: self.images.usable[image_id] for image_id in taken_ids}
        for position, images in enumerate(in_bins(chosen, self.number)):
            taken = [replace(image, shards=shards) for image in images.values()]
            content = _Content(taken, refused[position], self.aliases)
            yield VgBin(self.split, position), msgspec.msgpack.encode(content)

    def _shards(self) -> int:
        items = sum(file.read for file in self.files)
        return self.split.sizing.shards(self.images.volume(items))


def divide(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division:
    """Return the division of a split of Visual Genome for a number of workers.

    Raises:
        InputFileError: the file about the images, or that of aliases, cannot be used as a whole;
            also while records are dealt out, where their file cannot.
    """
    del indexes
    images, entries = read_images(split, store)
    aliases = b""
    if path := split.files.get(_ALIASES):
        aliases = read_text(store, path)
        parse_aliases(aliases, path)
    bins = max(number_of_bins(parts), len(images.chosen) // _BIN_IMAGES)
    dealers = [
        (
            path,
            RecordDealer(
                role=role, name=path.rsplit("/", 1)[-1], kind=kind, images=images, bins=bins
            ),
        )
        for role, kind in _KINDS.items()
        if (path := split.files.get(role))
    ]
    opened = _Opened(split, images, entries, aliases, [dealer for _, dealer in dealers], bins)
    return Division(opened.as_a_whole(), opened.bins(), dealers=dealers)


def _add(records: _Records, content: bytes, kind: RecordKind) -> None:
    for record in kind.decoded(content):
        records.setdefault(record.image_id, []).extend(record.items)


def _annotated(
    split: SplitInput, image: ImageInfo, records: Mapping[str, _Records], aliases: Aliases
) -> Iterator[Entry]:
    image_id = as_number(image.image_id)
    regions, related, described = (items.pop(image_id, []) for items in records.values())
    annotations = ImageAnnotations()
    add_regions(annotations, image_id, regions)
    add_relationships(annotations, image_id, related, aliases)
    add_attributes(annotations, image_id, described)
    yield Count(Kind.ANNOTATION, "read", annotations.objects)
    for kind, refusal in annotations.refused:
        yield rejection(split, kind, *refusal)
    yield SourceImage(image, tuple(annotations.regions), tuple(annotations.items))


def _without_chosen_image(
    split: SplitInput, left: _Records, kind: RecordKind, refused: set[str]
) -> Iterator[Entry]:
    """Yield counts and rejections of the items that belong to none of the images that are read."""
    with_image, lost = 0, list[Refused]()
    for image_id, items in left.items():
        if str(image_id) in refused:
            with_image += len(items)
            continue
        cause = Rejected(Reason.UNKNOWN_IMAGE, f"image {image_id} is not among the images")
        lost += [(name, cause) for name in kind.names(items, f"image {image_id}")]
    for counted in kind.counted:
        yield Count(counted, "with_image", with_image)
        yield from rejections(split, counted, lost)
