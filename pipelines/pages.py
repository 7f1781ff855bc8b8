"""Pages: many packed drafts of one shard as one compressed value, so that a shuffle moves few."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa

ShardKey = tuple[str, str, int, int]  # source, split, index, of
Packed = tuple[int, bytes]  # rank of the image, its draft
Page = tuple[int, bytes]  # size before compression, Zstandard frame

PAGE_BYTES = 512 * 1024  # of packed drafts

_CODEC = pa.Codec("zstd", compression_level=1)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[tuple[int, bytes]])


def pack_page(drafts: Sequence[Packed]) -> Page:
    """Return drafts as a page."""
    plain = _ENCODER.encode(drafts)
    return len(plain), _CODEC.compress(plain, asbytes=True)


def unpack_page(page: Page) -> list[Packed]:
    """Return the drafts of a page."""
    size, compressed = page
    return _DECODER.decode(_CODEC.decompress(compressed, size))


class Packer:
    """Gathers drafts by shard into pages."""

    def __init__(self) -> None:
        self._drafts: dict[ShardKey, list[Packed]] = defaultdict(list)
        self._sizes: dict[ShardKey, int] = defaultdict(int)

    def add(self, key: ShardKey, position: int, draft: bytes) -> Iterator[tuple[ShardKey, Page]]:
        """Take a draft in; yield its shard's page if that is now full."""
        self._drafts[key].append((position, draft))
        self._sizes[key] += len(draft)
        if self._sizes[key] >= PAGE_BYTES:
            del self._sizes[key]
            yield key, pack_page(self._drafts.pop(key))

    def rest(self) -> Iterator[tuple[ShardKey, Page]]:
        """Yield what is left."""
        for key, drafts in self._drafts.items():
            yield key, pack_page(drafts)
        self._drafts.clear()
        self._sizes.clear()
