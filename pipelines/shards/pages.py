"""Pages: the rows of many images of one shard as one compressed value, for a cheap shuffle.

Rows are turned into Arrow columns once, on the worker that makes them; the writer sorts and adds
the pictures.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa

from pipelines.shards.options import ShardKey
from schemas import shard
from schemas.columns import BuildStamp, Row, to_batch
from schemas.manifest import ImagesMode
from schemas.rejection import Kind
from schemas.sample import Conversation, Draft, ImageInfo
from schemas.source import RECORD_BYTES, REGION_BYTES

Page = tuple[int, bytes]  # size before compression, Zstandard frame

PAGE_BYTES = 1024 * 1024  # bytes of rows in a page, approximately


class PagedImage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An image whose conversations are rows of a page."""

    position: int  # rank of the image in its shard
    image: ImageInfo
    rows: int
    regions: int  # distinct regions, over all rows of the image
    items: tuple[tuple[Kind, str], ...]  # kind and id of each item that the rows were made from


class _Content(msgspec.Struct, array_like=True):
    images: list[PagedImage]
    rows: bytes  # an Arrow record batch


_CODEC = pa.Codec("zstd", compression_level=1)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Content)


def _stored_path(image: ImageInfo, images: ImagesMode) -> str | None:
    """Return the image path of a record: the owner's file name, or the path below the data root."""
    if image.file_name is None or images == "embed":
        return image.file_name
    return "/".join(filter(None, [image.folder, image.file_name]))


def pack_page(drafts: Sequence[tuple[int, Draft]], images: ImagesMode, stamp: BuildStamp) -> Page:
    """Return drafts as one compressed page; each comes with the position of its image."""
    rows = []
    paged = []
    for position, draft in drafts:
        path = _stored_path(draft.image, images)
        rows += [Row(draft.image, path, conversation) for conversation in draft.conversations]
        count, regions = len(draft.conversations), len(draft.region_ids())
        paged.append(PagedImage(position, draft.image, count, regions, draft.items))
    batch = to_batch(rows, stamp).serialize()
    plain = _ENCODER.encode(_Content(paged, batch.to_pybytes()))
    return len(plain), _CODEC.compress(plain, asbytes=True)


def unpack_page(page: Page) -> tuple[list[PagedImage], pa.RecordBatch]:
    """Return the images of a page and their rows, in the same order."""
    size, compressed = page
    content = _DECODER.decode(_CODEC.decompress(compressed, size))
    return content.images, pa.ipc.read_record_batch(pa.py_buffer(content.rows), shard.SCHEMA)


def row_bytes(talk: Conversation) -> int:
    """Return the approximate bytes of a row without its picture."""
    text = sum(len(message.content) for message in talk.messages)
    return RECORD_BYTES + REGION_BYTES * len(talk.regions) + text


class Packer:
    """A buffer that gathers drafts by shard into pages."""

    def __init__(self, images: ImagesMode, stamp: BuildStamp) -> None:
        self._images: ImagesMode = images
        self._stamp = stamp
        self._drafts: dict[ShardKey, list[tuple[int, Draft]]] = defaultdict(list)
        self._sizes: dict[ShardKey, int] = defaultdict(int)

    def add(self, key: ShardKey, position: int, draft: Draft) -> Iterator[tuple[ShardKey, Page]]:
        """Add a draft; yield the page of its shard if the page is now full."""
        self._drafts[key].append((position, draft))
        self._sizes[key] += sum(map(row_bytes, draft.conversations))
        if self._sizes[key] >= PAGE_BYTES:
            del self._sizes[key]
            yield key, pack_page(self._drafts.pop(key), self._images, self._stamp)

    def rest(self) -> Iterator[tuple[ShardKey, Page]]:
        """Yield the pages that are not full."""
        for key, drafts in self._drafts.items():
            yield key, pack_page(drafts, self._images, self._stamp)
        self._drafts.clear()
        self._sizes.clear()
