"""The names of one picture in several data sets: COCO's number, Visual Genome's id, Flickr's id.

    {"image_id": 2315893, "url": ".../VG_100K_2/2315893.jpg", "coco_id": 366141, "flickr_id": null}

Format: https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.picture_names import (
    coco_file_name,
    coco_name,
    flickr_name,
    visual_genome_name,
)
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.visual_genome import records as vg_json
from pipelines.datasets.visual_genome.records import VgImage
from schemas.errors import InputFileError

Names = tuple[str, ...]  # of one picture

_PHOTO_URL = re.compile(r".*/(\d+)_[0-9a-f]+(?:_\w)?\.\w+", re.ASCII)


class _VgPicture(VgImage):
    # Of any type, so that the guard reads the same images as the source does.
    coco_id: Any = None
    flickr_id: Any = None


class _CocoPicture(msgspec.Struct):
    id: ItemId
    file_name: str
    flickr_url: str = ""


class _Pictures(msgspec.Struct):
    images: list[Raw]


_VG_PICTURE = msgspec.json.Decoder(_VgPicture)
_COCO_PICTURE = msgspec.json.Decoder(_CocoPicture)
_PICTURES = msgspec.json.Decoder(_Pictures)


class Namesakes:
    """The names of pictures that have several: all names of a picture, by each of its names."""

    def __init__(self, pictures: Iterable[Names]) -> None:
        self._by_name: dict[str, list[Names]] = defaultdict(list)
        for names in pictures:
            for name in names:
                self._by_name[name].append(names)

    def of(self, names: Iterable[str]) -> frozenset[str]:
        """Return names together with all other names of the same pictures."""
        known: set[str] = set()
        new = set(names)
        while new:
            known |= new
            pictures = (picture for name in new for picture in self._by_name.get(name, ()))
            new = {name for picture in pictures for name in picture} - known
        return frozenset(known)


def visual_genome_names(content: bytes, path: str) -> dict[ItemId, Names]:
    """Return the names of all pictures in `image_data.json` by id, Visual Genome's name first.

    Raises:
        InputFileError: the content is no JSON list.
    """
    items = vg_json.decode_list(content, path)
    images, _ = vg_json.index_items(items, _VG_PICTURE, "image_data")
    return {image_id: _names(image) for image_id, image in images.items()}


def _names(image: _VgPicture) -> Names:
    file = image.url.rpartition("/")[2]
    names = [visual_genome_name(image.id), visual_genome_name(file)]
    names += [coco_name(image.coco_id)] if isinstance(image.coco_id, int) else []
    names += [flickr_name(image.flickr_id)] if isinstance(image.flickr_id, int) else []
    return tuple(names)


def coco_val_names(content: bytes, path: str) -> list[Names]:
    """Return the names of all pictures in a file in COCO's layout, COCO's name first.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    names: list[Names] = []
    for image in _pictures_in(content, path):
        photo = _PHOTO_URL.fullmatch(image.flickr_url)
        name = coco_file_name(image.file_name) or coco_name(image.id)
        names.append((name, flickr_name(photo[1])) if photo else (name,))
    return names


def file_names(content: bytes, path: str) -> set[str]:
    """Return the file names of all pictures in a file in COCO's layout.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    return {image.file_name for image in _pictures_in(content, path)}


def _pictures_in(content: bytes, path: str) -> list[_CocoPicture]:
    """Return the images of a file, without items that are none: no evaluation can use them."""
    try:
        items = decode_json(_PICTURES, content).images
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not a whole COCO annotation file: {error}. Expected "
            "a JSON object with a list of images: fetch it again."
        ) from None
    images: list[_CocoPicture] = []
    for raw in items:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            images.append(decode_json(_COCO_PICTURE, raw))
    return images
