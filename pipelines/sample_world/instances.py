"""COCO's instances file: its header, its image records, and a writer in bounded memory.

Records are plain dictionaries with COCO's own keys. The JSON has no blanks, so a number takes
as many bytes as in the owner's files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

Record = dict[str, Any]

HOST = "http://sample-world.invalid"  # a host that never exists, by RFC 2606
LICENSES = [{"url": "https://www.apache.org/licenses/LICENSE-2.0", "id": 1, "name": "Apache-2.0"}]
_RECORDS_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Instances:
    """The contents of one instances file; images and annotations are read once, in order."""

    year: int
    images: Iterable[Record]
    annotations: Iterable[Record]
    categories: list[Record]


def image_record(number: int, name: str, folder: str, sides: tuple[int, int]) -> Record:
    """Return the image record of a picture; `sides` are the width and height in pixels."""
    return {
        "license": 1,
        "file_name": name,
        "coco_url": f"{HOST}/{folder}/{name}",
        "height": sides[1],
        "width": sides[0],
        "date_captured": f"2013-11-{number % 28 + 1:02d} {number % 24:02d}:{number % 60:02d}:00",
        "flickr_url": f"{HOST}/photographs/{number}_z.jpg",
        "id": number,
    }


def write_instances(path: Path, instances: Instances) -> None:
    """Write one annotation file, holding a few thousand records at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    info = {
        "description": "Drawn sample world, not photographs",
        "url": HOST,
        "version": "1.0",
        "year": instances.year,
        "contributor": "RegionForge",
        "date_created": f"{instances.year}/09/01",
    }
    with path.open("wb") as file:
        file.write(b'{"info":' + msgspec.json.encode(info))
        file.write(b',"licenses":' + msgspec.json.encode(LICENSES))
        _write_list(file, b"images", instances.images)
        _write_list(file, b"annotations", instances.annotations)
        _write_list(file, b"categories", instances.categories)
        file.write(b"}")


def _write_list(file: BinaryIO, key: bytes, records: Iterable[Record]) -> None:
    file.write(b',"' + key + b'":[')
    remaining, comma = iter(records), b""
    while batch := list(islice(remaining, _RECORDS_AT_ONCE)):
        file.write(comma + msgspec.json.encode(batch)[1:-1])
        comma = b","
    file.write(b"]")
