"""Annotation files as editors and tools leave them: with a mark in front, packed, or neither."""

import gzip
import io
import zipfile

import pytest

from pipelines.datasets.common import text_files
from pipelines.datasets.common.text_files import as_text, read_text
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.limits import MAX_UNPACKED_RATIO

TEXT = '{"name": "Jalapeño 🌶"}'
PLAIN = TEXT.encode()


def packed_in_parts() -> bytes:
    return gzip.compress(PLAIN[:5]) + gzip.compress(PLAIN[5:])


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        gzip.compress(PLAIN),
        gzip.compress(TEXT.encode("utf-8-sig")),
        packed_in_parts(),
    ],
    ids=["plain", "UTF-8", "UTF-16", "UTF-16 BE", "gzip", "gzip with a mark", "gzip in parts"],
)
def test_the_text_is_the_same(tmp_path, content):
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    assert read_text(FileStore(), str(path)) == PLAIN


@pytest.mark.parametrize("end", [1, 12, -1])
def test_gzip_that_is_cut_short_is_named(end):
    content = gzip.compress(PLAIN)[: max(2, end) if end > 0 else end]
    with pytest.raises(InputFileError, match=r"boxes\.json\.gz .* not a whole gzip file"):
        as_text(content, "boxes.json.gz")


def test_unpacking_ends_at_a_limit(monkeypatch):
    monkeypatch.setattr(text_files, "MIN_UNPACKED_BYTES", 1 << 20)
    bomb = gzip.compress(bytes(1 << 24))
    assert len(bomb) * MAX_UNPACKED_RATIO > 1 << 20
    with pytest.raises(InputFileError, match=r"unpacks to more than [\d,]+ bytes"):
        as_text(bomb, "bomb.json.gz")
    fits = bytes(1 << 20)
    assert as_text(gzip.compress(fits), "zeros.gz") == fits


def test_an_archive_is_named():
    with zipfile.ZipFile(out := io.BytesIO(), "w") as archive:
        archive.writestr("boxes.json", PLAIN)
    with pytest.raises(InputFileError, match=r"boxes\.zip is a zip archive\. Expected the file in"):
        as_text(out.getvalue(), "boxes.zip")
