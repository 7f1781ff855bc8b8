"""What a push sends: the files that a manifest lists, and those that describe them.

Of a build these are the shards, the card, the ledger and the manifest; what was rejected and what a
rerun needs stay here. Of an export they are the files of its list, and the list.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from pipelines.card.sections import REPOSITORY
from pipelines.datasets.common.paths import check_file_name
from pipelines.output.reader import check_sizes, names_in, read_manifest
from pipelines.shards.reader import DAMAGE, read_columns
from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import decode
from schemas.layout import CARD, EXPORT, EXPORT_FILES, LEDGER, MANIFEST
from schemas.manifest import Manifest
from schemas.rejection import Rejected


class Listed(msgspec.Struct, frozen=True):
    """A file that a manifest lists."""

    path: str  # below the folder
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files that are sent, by their paths below the folder."""

    folder: str
    data: tuple[Listed, ...]
    about: dict[str, bytes]  # the content of the files that describe the data, sent last
    licences: dict[str, int]  # number of records by licence
    staying: int  # the number of files in the folder that are not sent

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.bytes for file in self.data) + sum(map(len, self.about.values()))


class _Summary(msgspec.Struct):
    files_sha256: str
    licences: dict[str, int]


_SUMMARY = msgspec.json.Decoder(_Summary)
_LINE = msgspec.json.Decoder(Listed)


def contents_of(folder: str, repository: str) -> Contents:
    """Return what is sent of a folder.

    Args:
        folder: the folder of a finished build, or of an export.
        repository: the name of the data set on the Hub, which the card of a build then names.

    Raises:
        InputFileError: there is no finished build or export, or a file is not as listed.
        UsageError: the build holds no records.
    """
    if files.exists(files.join(folder, EXPORT)):
        return _of_export(folder)
    return _of_build(folder, repository)


def _of_build(folder: str, repository: str) -> Contents:
    manifest = read_manifest(folder)
    if not manifest.filled():
        raise UsageError(f"{folder} holds no records: there is nothing to send")
    data = [
        Listed(shard.path, shard.bytes, shard.sha256)
        for shard in manifest.filled()  # of a split without records, the card names no file
    ]
    check_sizes(folder, ((file.path, file.bytes) for file in data))
    about = {name: _read(folder, name) for name in (LEDGER, CARD, MANIFEST)}
    about[CARD] = about[CARD].replace(REPOSITORY.encode(), repository.encode())
    return _contents(folder, data, about, _licences(folder, manifest))


def _of_export(folder: str) -> Contents:
    path = files.join(folder, EXPORT)
    about = {name: _read(folder, name) for name in (CARD, EXPORT_FILES, EXPORT)}
    try:
        summary = decode(_SUMMARY, about[EXPORT])
        listed = [decode(_LINE, line) for line in about[EXPORT_FILES].splitlines()]
        for file in listed:
            check_file_name(file.path)
    except (msgspec.DecodeError, Rejected) as error:
        raise InputFileError(f"{path} or {EXPORT_FILES} cannot be read: {error}") from None
    listing = files.join(folder, EXPORT_FILES)
    if files.sha256_of(listing)[0] != summary.files_sha256:
        raise InputFileError(f"{listing} is not the list that {EXPORT} tells of: export again")
    data = [file for file in listed if file.path != CARD]
    check_sizes(folder, ((file.path, file.bytes) for file in data))
    return _contents(folder, data, about, summary.licences)


def _contents(
    folder: str, data: list[Listed], about: dict[str, bytes], licences: dict[str, int]
) -> Contents:
    staying = len(set(names_in(folder)) - {file.path for file in data} - about.keys())
    return Contents(
        folder=folder,
        data=tuple(sorted(data, key=lambda file: file.path)),
        about=about,
        licences=licences,
        staying=staying,
    )


def _licences(folder: str, manifest: Manifest) -> dict[str, int]:
    return dict(sorted(Counter(_each_licence(folder, manifest)).items()))


def _each_licence(folder: str, manifest: Manifest) -> Iterator[str]:
    for shard in manifest.filled():
        path = files.join(folder, shard.path)
        try:
            for batch in read_columns(path, ["licence"]):
                yield from batch.column("licence").to_pylist()
        except DAMAGE as error:
            raise InputFileError(f"cannot read the shard {path}: {error}") from None


def _read(folder: str, name: str) -> bytes:
    return files.FileStore().read(files.join(folder, name))
