"""The reading of an annotation file: as it is, after a byte-order mark, or out of gzip.

    boxes.json       UTF-8, also after a mark; UTF-16 with a mark, as PowerShell writes it
    boxes.json.gz    whatever the name, content that begins as gzip is unpacked

A small file can unpack to terabytes, so unpacking ends at a limit: 100 times the file, and at least
64 MiB. Annotations take about a tenth when packed.
"""

import gzip
import io
import zlib

from schemas.errors import InputFileError
from schemas.limits import MAX_UNPACKED_RATIO, MIN_UNPACKED_BYTES
from schemas.source import Store

_GZIP, _ZIP, _UTF8 = b"\x1f\x8b", b"PK\x03\x04", b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(store: Store, path: str) -> bytes:
    """Return the content of an annotation file as UTF-8, unpacked and without a byte-order mark.

    Raises:
        InputFileError: the file cannot be read or unpacked, or is an archive of files.
    """
    return as_text(store.read(path), path)


def as_text(content: bytes, path: str) -> bytes:
    """Return content as `read_text` does."""
    if content.startswith(_ZIP):
        raise InputFileError(f"{path} is a zip archive. Expected the file in it: unpack it")
    if content.startswith(_GZIP):
        content = _unpacked(content, path)
    if content.startswith(_UTF8):
        return content[len(_UTF8) :]
    if content.startswith(_UTF16):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content


def _unpacked(content: bytes, path: str) -> bytes:
    limit = max(MIN_UNPACKED_BYTES, MAX_UNPACKED_RATIO * len(content))
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not a whole gzip file: {error}. Fetch it again"
        ) from None
    if len(unpacked) > limit:
        raise InputFileError(
            f"{path} ({len(content)} bytes) unpacks to more than {limit:,} bytes, which no "
            "annotation file does: unpack it yourself, if it is meant so"
        )
    return unpacked
