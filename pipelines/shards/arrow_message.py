"""The header of an Arrow message, as far as it says whether the buffers are compressed.

A message of Arrow's IPC format is a FlatBuffer (https://arrow.apache.org/docs/format/Columnar.html):

    Message: version, header_type, header, bodyLength, custom_metadata
    RecordBatch (header_type 3): length, nodes, buffers, compression, variadicBufferCounts

pyarrow unpacks compressed buffers while it reads a batch: some hundred kilobytes may become a
gigabyte. Our shards are never compressed, so a message says so before anything is unpacked.
"""

import struct

_HEADER, _COMPRESSION = 2, 3  # the positions of the fields in Message and RecordBatch


def is_compressed(metadata: bytes) -> bool:
    """Return whether the header of a message with a record batch states a compression.

    Args:
        metadata: the FlatBuffer of the message, without the prefix that states its length.

    Raises:
        struct.error: the bytes are no such FlatBuffer.
    """
    message = _follow(metadata, 0)
    header = _field(metadata, message, _HEADER)
    if header is None:
        return False
    return _field(metadata, _follow(metadata, header), _COMPRESSION) is not None


def _follow(buffer: bytes, position: int) -> int:
    """Return the position of the table to which an offset at a position points."""
    return position + int(struct.unpack_from("<I", buffer, position)[0])


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Return the position of a field of a table; None where the table lacks it."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    size = struct.unpack_from("<H", buffer, vtable)[0]
    entry = 4 + 2 * number
    if entry >= size:
        return None
    offset = struct.unpack_from("<H", buffer, vtable + entry)[0]
    return table + int(offset) if offset else None
