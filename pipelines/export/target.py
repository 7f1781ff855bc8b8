"""The folder that an export writes: files with their digests, and pictures, each once."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from pipelines.datasets.common.paths import check_file_name
from pipelines.export import losses
from pipelines.export.losses import Record
from pipelines.output.picture import MissingPictureError, NoPictureError, picture_bytes
from pipelines.storage.files import sha256_of
from schemas.errors import InputFileError
from schemas.layout import exported_picture
from schemas.rejection import Rejected

_ENDINGS = {"JPEG": "jpg", "MPO": "jpg"}  # of Pillow's formats that are not called by their ending


@dataclass(slots=True, kw_only=True)
class Target:
    """The folder of an export, and the settings that formats go by."""

    folder: Path
    listing: BinaryIO  # takes a line of JSON for each file: path, bytes, sha256
    lost: Counter[str]
    image_root: str | None = None  # the folder of pictures that records only refer to
    coordinates: str = ""  # the form of boxes, of the formats that have several
    files: int = field(default=0, init=False)
    size: int = field(default=0, init=False)  # of all files, bytes

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a new file of the export for writing, by its path in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            yield file
        self._list(name, *sha256_of(str(path)))

    def write(self, name: str, content: bytes) -> None:
        """Write a new file of the export."""
        with self.open(name) as file:
            file.write(content)

    def pictured(self, records: Iterable[Record]) -> Iterator[tuple[Record, bytes | None]]:
        """Yield records with the files of their pictures, None where a record has none.

        Records whose pictures cannot be used, which a build by reference may have, are counted.

        Raises:
            InputFileError: a picture is not there.
        """
        for record in records:
            try:
                has_picture = record["image"] is not None
                yield record, picture_bytes(record, self.image_root) if has_picture else None
            except MissingPictureError as error:
                raise InputFileError(f"the picture of {record['id']}: {error}") from None
            except NoPictureError:
                self.lost[losses.UNUSABLE] += 1

    def picture(self, record: Record, content: bytes, config: str) -> str:
        """Return the path of a record's picture in the folder, where it is written once.

        Raises:
            InputFileError: its name leads out of its folder.
        """
        try:
            owners = check_file_name(record["image"]["path"] or "")
        except Rejected as error:
            raise InputFileError(f"{record['id']}: {error}") from None
        name = exported_picture(config, record["split"], owners)
        path = self.folder / name
        if path.exists() and path.read_bytes() != content:  # the owner has two of this name
            name = str(Path(name).with_stem(f"{path.stem}-{hashlib.sha256(content).hexdigest()}"))
            path = self.folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._list(name, hashlib.sha256(content).hexdigest(), len(content))
        return name

    def _list(self, name: str, sha256: str, size: int) -> None:
        line = {"path": name, "bytes": size, "sha256": sha256}
        self.listing.write(json.dumps(line).encode() + b"\n")
        self.files += 1
        self.size += size


def ending_of(picture: bytes) -> str:
    """Return the usual ending of a picture's format, e.g. `jpg`."""
    with Image.open(BytesIO(picture)) as image:
        name = image.format or ""
    return _ENDINGS.get(name, name.lower())
