"""Write: the stage that turns drafts into shards. Image bytes are read here, never shuffled.

The flow:
1. turn the drafts of each shard into columns, page by page;
2. group pages by shard, which the hash of the image id decides;
3. per shard, in the order of the hashes: read each picture, check it against its annotated size,
   turn it upright if need be, and write its rows;
4. save the fingerprint of each finished shard: a rerun skips shards whose fingerprint is the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import ShardKey, WriteOptions, shard_key
from pipelines.shards.pages import Packer, Page, PagedImage, pack_page
from pipelines.shards.rows import ShardRows
from pipelines.shards.state import ShardState, load_state, save_state
from pipelines.shards.writer import ShardFile, shard_file
from pipelines.storage import files
from schemas.layout import shard_path
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Draft, ImageInfo
from schemas.source import SplitFacts
from transforms.ledger import StageLedger
from transforms.orientation import annotated_as_stored, turn_rows, upright_size
from transforms.picture import Picture, inspect, upright
from transforms.progress import Progress
from transforms.stage import StageDoFn, StageOutputs, StageTransform, in_bundle, run_stage


def write_shard(
    key: ShardKey,
    pages: Iterable[Page],
    options: WriteOptions,
    ledger: StageLedger,
    progress: Progress,
) -> Shard:
    """Return the manifest's entry of a shard; the shard is written unless it already exists.

    Args:
        key: the key of the shard.
        pages: all rows of the shard, in any order.
        options: the options of the shard writer.
        ledger: the ledger of the stage; the counts of an existing shard are added to it again.
        progress: the counter of images for the log.
    """
    rows = ShardRows(pages)
    fingerprint = rows.fingerprint(options.images, options.stamp)
    state = load_state(options.output, shard_path(*key), fingerprint)
    if state is None:
        shard_ledger = StageLedger(ledger.stage)  # of this shard only, with which it is saved
        shard = _write_rows(key, rows, options, shard_ledger, progress)
        state = ShardState.of(fingerprint, shard, shard_ledger)
        save_state(options.output, state)
    else:
        progress.add(len(rows.images))
    ledger.include(state.counts(), state.rejections)
    return state.shard


def _write_rows(
    key: ShardKey,
    rows: ShardRows,
    options: WriteOptions,
    ledger: StageLedger,
    progress: Progress,
) -> Shard:
    source, split, index, of = key
    name = shard_path(source, split, index, of)
    path = files.join(options.output, name)
    with shard_file(path, rows, embed=options.images == "embed") as (out, sink):
        for paged, start in rows.images:
            _write_image(paged, start, rows, out, options, ledger)
            progress.add()
    return Shard(
        config=source,
        split=split,
        index=index,
        of=of,
        path=name,
        rows=out.rows,
        bytes=sink.bytes,
        sha256=sink.sha256(),
        captions=out.captions,
        caption_words=out.caption_words,
    )


def _write_image(
    paged: PagedImage,
    start: int,
    rows: ShardRows,
    out: ShardFile,
    options: WriteOptions,
    ledger: StageLedger,
) -> None:
    image = paged.image
    _count(ledger.read, paged)
    try:
        picture = _embed(image, out, options)
    except Rejected as cause:
        _reject_image(paged, rows.take(range(start, start + paged.rows)), cause, ledger)
        return
    size = upright_size(picture) if picture else (image.width, image.height)
    if picture and picture.orientation != 1 and options.images == "embed":
        ledger.repaired(image, Kind.IMAGE, Repair.IMAGE_TURNED)
    turns = picture if picture and _regions_turn(image, picture) else None
    for number, row in enumerate(range(start, start + paged.rows)):
        if options.images == "embed" and image.file_name is None:
            out.images.skip()
        elif options.images == "embed" and number:
            out.repeat_image()
        out.add(row, size, turn_rows(rows.take([row]), turns) if turns else None)
    _count(ledger.kept, paged)


def _regions_turn(image: ImageInfo, picture: Picture) -> bool:
    if picture.orientation == 1 or image.width is None:
        return False
    return annotated_as_stored(image, picture)


def _count(count: Callable[[ImageInfo, Kind, int], None], paged: PagedImage) -> None:
    count(paged.image, Kind.IMAGE, 1)
    count(paged.image, Kind.ANNOTATION, paged.regions)
    count(paged.image, Kind.CONVERSATION, paged.rows)
    for kind, _ in paged.items:
        count(paged.image, kind, 1)


def _reject_image(
    paged: PagedImage, rows: pa.RecordBatch, cause: Rejected, ledger: StageLedger
) -> None:
    image = paged.image
    ledger.reject(image, Kind.IMAGE, image.image_id, cause)
    with_image = Rejected(Reason.IMAGE_REJECTED, f"image {image.image_id}: {cause.reason}")
    regions = pc.list_flatten(rows["regions"]).field("region_id").unique().to_pylist()
    for region_id in regions:
        ledger.reject(image, Kind.ANNOTATION, region_id, with_image)
    for record_id in rows["id"].to_pylist():
        ledger.reject(image, Kind.CONVERSATION, record_id, with_image)
    for kind, item_id in paged.items:
        ledger.reject(image, kind, item_id, with_image)


def _embed(image: ImageInfo, out: ShardFile, options: WriteOptions) -> Picture | None:
    """Read a picture, and add its bytes to the column of images where shards hold pictures.

    The bytes are read into free space of the column; they become part of the column only when they
    are committed, so a picture that is rejected leaves nothing behind.

    Returns:
        The picture; None where it need not be read.
    """
    if image.file_name is None or (options.images == "reference" and image.width is not None):
        return None
    path = files.join(options.pictures[image.source, image.split], image.file_name)
    room = out.images.room(image.size_bytes + 1)
    size = _read(path, room)
    if size != image.size_bytes:
        raise Rejected(
            Reason.IMAGE_UNREADABLE,
            f"{size} bytes were read where {image.size_bytes} were listed: the file changed "
            "during the build",
        )
    picture = inspect(room[:size])
    if image.width is not None:
        annotated_as_stored(image, picture)
    if options.images == "reference":
        return picture
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


class _WriteShard(StageDoFn[tuple[ShardKey, Iterable[Page]], Shard]):
    stage = Stage.WRITE

    def __init__(self, options: WriteOptions) -> None:
        self._options = options

    def results(self, element: tuple[ShardKey, Iterable[Page]]) -> Iterator[Shard]:
        """Yield the shard that is written from the pages of a key."""
        key, pages = element
        yield write_shard(key, pages, self._options, self.ledger, self.progress)


class _PackByShard(beam.DoFn):
    def __init__(self, options: WriteOptions) -> None:
        self._options = options

    def start_bundle(self) -> None:
        self._packer = Packer(self._options.images, self._options.stamp)

    def process(self, element: Sequence[Draft]) -> Iterator[tuple[ShardKey, Page]]:
        for draft in element:
            key, position = shard_key(draft.image)
            yield from self._packer.add(key, position, draft)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for item in self._packer.rest():
            yield in_bundle(item)


@dataclass
class WriteShards(StageTransform[PCollection[list[Draft]], StageOutputs[Shard]]):
    """Batches of Draft -> the manifest's entry of each shard."""

    options: WriteOptions
    facts: PCollection[SplitFacts]

    def expand(self, pcoll: PCollection[list[Draft]]) -> StageOutputs[Shard]:
        """Pack drafts into pages, group the pages by shard, and write each shard."""
        packed = pcoll | "Pack" >> beam.ParDo(_PackByShard(self.options))
        empty = pack_page([], self.options.images, self.options.stamp)
        return run_stage(packed | GroupByShard(self.facts, empty), _WriteShard(self.options))
