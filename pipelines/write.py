"""Write: drafts to shards. Image bytes are read here, and never cross a shuffle.

The flow:
1. pack drafts to bytes, many to a page;
2. group pages by shard, which the hash of the image id decides;
3. per shard, in the order of those hashes: read each picture, check it against what was annotated,
   turn it upright if need be, and write its rows;
4. beside each finished shard, note what went into it: a rerun skips it while that is unchanged.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from pipelines import files
from pipelines.pages import Packer, Page, ShardKey, pack_page, unpack_page
from pipelines.shard_file import ShardFile, shard_file
from pipelines.shard_state import ShardState, fingerprint_of, load_state, save_state
from schemas.columns import BuildStamp, Row
from schemas.ids import RANK_BITS, rank
from schemas.ledger import Stage
from schemas.manifest import ImagesMode, Shard
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Draft, ImageInfo, pack, unpack
from schemas.shard import shard_name
from schemas.source import SplitFacts
from transforms.accounting import Book, BookedDoFn, booked, in_bundle
from transforms.frame import annotated_as_stored, turn_conversations, upright_size
from transforms.picture import Picture, inspect, upright
from transforms.progress import Progress

SplitKey = tuple[str, str]  # source, split


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Where shards go and what they hold."""

    output: str
    images: ImagesMode
    pictures: Mapping[SplitKey, str]  # the folder of each split's images
    stamp: BuildStamp


def shard_key(image: ImageInfo) -> tuple[ShardKey, int]:
    """Return the shard of an image, and the rank that orders it there."""
    position = rank("shard", image.source, image.split, image.image_id)
    index = position * image.shards >> RANK_BITS
    return (image.source, image.split, index, image.shards), position


def shard_keys(facts: SplitFacts) -> Iterator[tuple[ShardKey, Page]]:
    """Yield every shard of a split with nothing in it, so that none is missing for being empty."""
    for index in range(facts.shards):
        yield (facts.source, facts.split, index, facts.shards), pack_page([])


def write_shard(
    key: ShardKey,
    pages: Iterable[Page],
    options: WriteOptions,
    book: Book,
    progress: Progress,
) -> Shard:
    """Write one shard, unless it is there already; return what is to be known of it."""
    source, split, index, of = key
    ordered = sorted(draft for page in pages for draft in unpack_page(page))
    name = f"{source}/{shard_name(split, index, of)}"
    path = files.join(options.output, name)
    fingerprint = fingerprint_of(ordered, options.images, options.stamp)
    if known := load_state(options.output, name, fingerprint):
        book.tally.update(known.counts())
        book.rejections += known.rejections
        progress.add(len(ordered))
        return known.shard
    with shard_file(path, options.stamp, embed=options.images == "embed") as (out, sink):
        for _, packed in ordered:
            _write_draft(unpack(packed), out, options, book)
            progress.add()
    shard = Shard(
        config=source,
        split=split,
        index=index,
        of=of,
        path=name,
        rows=out.rows,
        bytes=sink.bytes,
        sha256=sink.sha256(),
    )
    save_state(options.output, ShardState.of(fingerprint, shard, book))
    return shard


def _write_draft(draft: Draft, out: ShardFile, options: WriteOptions, book: Book) -> None:
    image, regions = draft.image, draft.region_ids()
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(regions))
    book.read(image, Kind.CONVERSATION, len(draft.conversations))
    try:
        for row in _rows(draft, out, options, book):
            out.add(row)
    except Rejected as cause:
        book.reject(image, Kind.IMAGE, image.image_id, cause)
        with_image = Rejected(Reason.IMAGE_REJECTED, f"image {image.image_id}: {cause.reason}")
        for region_id in regions:
            book.reject(image, Kind.ANNOTATION, region_id, with_image)
        for conversation in draft.conversations:
            book.reject(image, Kind.CONVERSATION, conversation.id, with_image)
        return
    book.kept(image, Kind.IMAGE)
    book.kept(image, Kind.ANNOTATION, len(regions))
    book.kept(image, Kind.CONVERSATION, len(draft.conversations))


def _rows(draft: Draft, out: ShardFile, options: WriteOptions, book: Book) -> Iterator[Row]:
    image = draft.image
    path, size, conversations = image.file_name, (image.width, image.height), draft.conversations
    if path is not None and options.images == "reference":
        path = "/".join(filter(None, [image.folder, path]))
    elif path is not None:
        picture = _embed(image, path, out, options)
        size = upright_size(picture)
        if picture.orientation != 1:
            book.repaired(image, Kind.IMAGE, Repair.IMAGE_TURNED)
            if annotated_as_stored(image, picture):
                conversations = turn_conversations(conversations, picture)
    for position, conversation in enumerate(conversations):
        if path is None:
            out.images.skip()
        elif position and options.images == "embed":
            out.repeat_image()
        yield Row(
            source=image.source,
            split=image.split,
            path=path,
            width=size[0],
            height=size[1],
            licence=image.licence,
            conversation=conversation,
        )


def _embed(image: ImageInfo, name: str, out: ShardFile, options: WriteOptions) -> Picture:
    room = out.images.room(image.size_bytes + 1)
    size = _read(files.join(options.pictures[image.source, image.split], name), room)
    if size != image.size_bytes:
        raise Rejected(
            Reason.IMAGE_UNREADABLE,
            f"{size} bytes were read where {image.size_bytes} were listed: the file changed "
            "during the build",
        )
    picture = inspect(room[:size])
    annotated_as_stored(image, picture)
    if picture.untouched:
        out.images.commit(size)
        return picture
    turned = upright(room[:size].tobytes(), picture.orientation)
    out.images.room(len(turned))[:] = turned
    out.images.commit(len(turned))
    return picture


def _read(path: str, room: memoryview) -> int:
    try:
        return files.read_into(path, room)
    except FileNotFoundError:
        raise Rejected(Reason.IMAGE_MISSING, "was listed, but is gone") from None
    except OSError as error:
        raise Rejected(Reason.IMAGE_UNREADABLE, f"{error.strerror}") from None


class _WriteShard(BookedDoFn):
    stage = Stage.WRITE

    def __init__(self, options: WriteOptions) -> None:
        self._options = options

    def process(self, element: tuple[ShardKey, Iterable[Page]]) -> Iterator[Any]:
        key, pages = element
        book = Book(self.stage)
        yield write_shard(key, pages, self._options, book, self.progress)
        self.book.tally.update(book.tally)
        self.book.rejections += book.rejections
        yield from self.settle()


class _PackByShard(beam.DoFn):
    def start_bundle(self) -> None:
        self._packer = Packer()

    def process(self, element: Draft) -> Iterator[tuple[ShardKey, Page]]:
        key, position = shard_key(element.image)
        yield from self._packer.add(key, position, pack(element))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for item in self._packer.rest():
            yield in_bundle(item)


@dataclass
class WriteShards(beam.PTransform[PCollection[Draft], Any]):
    """Draft -> Shard, with rejections and tallies beside it."""

    options: WriteOptions
    facts: PCollection[SplitFacts]

    def expand(self, pcoll: PCollection[Draft]) -> Any:
        """Pack, group by shard, write."""
        packed = pcoll | "Pack" >> beam.ParDo(_PackByShard())
        every_shard = self.facts | "EveryShard" >> beam.FlatMap(shard_keys)
        return (
            (packed, every_shard)
            | "Flatten" >> beam.Flatten()
            | "ByShard" >> beam.GroupByKey()
            | "WriteShard" >> booked(_WriteShard(self.options))
        )
