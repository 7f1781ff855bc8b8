"""A file of ids of records: one a line, or an object with the key `id` in each line."""

import msgspec

from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import decode


class _Line(msgspec.Struct):
    id: str


_DECODER = msgspec.json.Decoder(_Line)


def read_ids(path: str) -> frozenset[str]:
    """Return the ids in a file.

    Raises:
        UsageError: the file is not there.
        InputFileError: it cannot be read, or holds no id.
    """
    if not files.exists(path):
        raise UsageError(f"--ids {path}: there is no such file")
    ids = set()
    for number, line in enumerate(files.FileStore().read(path).splitlines(), start=1):
        try:
            if line.startswith(b"{"):
                ids.add(decode(_DECODER, line).id)
            elif line.strip():
                ids.add(line.decode().strip())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputFileError(
                f"{path}: line {number}: {error}; expected an id, or an object with the key id"
            ) from None
    if not ids:
        raise InputFileError(f"{path}: expected an id a line, but there is none")
    return frozenset(ids)
