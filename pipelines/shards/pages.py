"""Pages: many packed images of one shard as one compressed value, for a cheap shuffle.

An image is packed once it is sampled, with its segmentations as their owner wrote them, but without
blanks: a rerun knows a shard by its packed images. The worker that writes the shard sorts the
packed images and unpacks one at a time. Until then, pages may lie in a spool.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from pipelines.shards.options import ShardKey
from pipelines.storage.spool import Spool, Spooled, value_of
from schemas.sample import ScreenedImage

Page = tuple[int, Spooled]  # size before compression, Zstandard frame

PAGE_BYTES = 256 * 1024  # bytes of packed images in a page, approximately
WAITING_BYTES = 64 * 1024 * 1024  # of pages that are not full, in a worker


class PackedImage(NamedTuple):
    """An image in bytes, and its place in the shard."""

    position: int  # rank of the image in its shard
    image_id: str
    content: bytes


_CODEC = pa.Codec("zstd", compression_level=1)
_ENCODER = msgspec.msgpack.Encoder()
_PAGE = msgspec.msgpack.Decoder(list[PackedImage])
_IMAGE = msgspec.msgpack.Decoder(ScreenedImage)
_BATCH = msgspec.msgpack.Decoder(list[ScreenedImage])


def pack_image(position: int, screened: ScreenedImage) -> PackedImage:
    """Return an image in bytes; segmentations of regions that are left out are not packed."""
    raw = screened.segmentations
    if raw:
        left = [region.region_id for region in screened.regions]
        kept = {region_id: _compact(raw[region_id]) for region_id in left if region_id in raw}
        screened = replace(screened, segmentations=kept)
    return PackedImage(position, screened.image.image_id, _ENCODER.encode(screened))


def _compact(text: bytes) -> bytes:
    """Return JSON text without blanks, as most owners write it; other text as it is."""
    if b" " not in text and b"\n" not in text:
        return text
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:  # it is repaired or rejected where masks are made
        return text


def unpack_image(content: bytes) -> ScreenedImage:
    """Return the image in the bytes that `pack_image` made."""
    return _IMAGE.decode(content)


def pack_page(images: Sequence[PackedImage]) -> tuple[int, bytes]:
    """Return packed images as one compressed page, which is not spooled."""
    return _page(_ENCODER.encode(images))


def pack_batch(images: Sequence[ScreenedImage]) -> tuple[int, bytes]:
    """Return images that stay together, as one compressed page."""
    return _page(_ENCODER.encode(images))


def unpack_batch(page: Page) -> list[ScreenedImage]:
    """Return the images of the page that `pack_batch` made."""
    return _BATCH.decode(_plain(page))


def _page(plain: bytes) -> tuple[int, bytes]:
    return len(plain), _CODEC.compress(plain, asbytes=True)


def _plain(page: Page) -> bytes:
    size, compressed = page
    return _CODEC.decompress(value_of(compressed), size, asbytes=True)


def images_in_order(pages: Iterable[Page]) -> list[PackedImage]:
    """Return the packed images of all pages of a shard, in the order in which it stores them."""
    images: list[PackedImage] = []
    for page in pages:
        images += _PAGE.decode(_plain(page))
    return sorted(images)


class Packer:
    """A buffer that gathers packed images by shard into pages, which go into a spool."""

    def __init__(self, spool: Spool | None = None) -> None:
        self._spool = spool or Spool(None)
        self._waiting = 0  # bytes
        self._images: dict[ShardKey, list[PackedImage]] = defaultdict(list)
        self._sizes: dict[ShardKey, int] = defaultdict(int)

    def add(self, key: ShardKey, image: PackedImage) -> Iterator[tuple[ShardKey, Page]]:
        """Add an image; yield the page of its shard if it is now full, or all if too much waits."""
        self._images[key].append(image)
        self._sizes[key] += len(image.content)
        self._waiting += len(image.content)
        if self._sizes[key] >= PAGE_BYTES:
            self._waiting -= self._sizes.pop(key)
            yield key, self._page(self._images.pop(key))
        elif self._waiting >= WAITING_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[ShardKey, Page]]:
        """Yield the pages that are not full."""
        for key, images in self._images.items():
            yield key, self._page(images)
        self._images.clear()
        self._sizes.clear()
        self._waiting = 0

    def _page(self, images: Sequence[PackedImage]) -> Page:
        size, compressed = pack_page(images)
        return size, self._spool.put(compressed)
