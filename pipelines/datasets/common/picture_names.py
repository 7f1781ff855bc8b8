"""Names of pictures across data sets, by which the same picture is recognised in each.

    coco/139                    COCO's number, the same in every release
    visual_genome/2412112       Visual Genome's id, which GQA uses too
    visual_genome/2370463.jpg   the file of Visual Genome; its number need not be the id
    flickr/1000092795           the id of a photo on Flickr
    objects365/1968981          the number in Objects365 v2

A data set's `DatasetSpec.picture_name` returns one of these names for its pictures.
"""

import re

from schemas.sample import ImageInfo

OBJECTS365 = "objects365"  # the first part of the names of its pictures
_OBJECTS365_FILE = re.compile(r"objects365_v2_(\d{8})\.\w+", re.ASCII)
_COCO_FILE = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{12})(?:\.\w+)?", re.ASCII)


def coco_name(number: int | str) -> str:
    """Return the name of a picture of COCO by its number: `coco/139`."""
    return f"coco/{number}"


def visual_genome_name(image_id: int | str) -> str:
    """Return the name of a picture of Visual Genome by its id, or by its file name with suffix."""
    return f"visual_genome/{image_id}"


def flickr_name(photo: int | str) -> str:
    """Return the name of a Flickr photo by its id."""
    return f"flickr/{photo}"


def coco_file_name(path: str) -> str | None:
    """Return the name of a COCO picture from its file name; None for other file names.

    `val2014/COCO_val2014_000000000139.jpg` and `000000000139.jpg` are `coco/139`; the file
    `139.jpg` may be any data set's.
    """
    match = _COCO_FILE.fullmatch(path.rpartition("/")[2])
    return coco_name(int(match[1])) if match else None


def objects365_file_name(path: str) -> str | None:
    """Return the name of a picture of Objects365 from its file name; None for other file names.

    `images/v2/patch16/objects365_v2_01968981.jpg` is `objects365/1968981`.
    """
    match = _OBJECTS365_FILE.fullmatch(path.rpartition("/")[2])
    return f"{OBJECTS365}/{int(match[1])}" if match else None


def objects365_picture(image: ImageInfo) -> str | None:
    """Return Objects365's name of an image's picture, for data sets of its pictures."""
    return objects365_file_name(image.file_name or "")


def coco_or_objects365_picture(image: ImageInfo) -> str | None:
    """Return COCO's or Objects365's name of an image's picture, for files in COCO's layout."""
    return coco_picture(image) or objects365_picture(image)


def coco_picture(image: ImageInfo) -> str | None:
    """Return COCO's name of an image's picture, for data sets of COCO's pictures."""
    return coco_file_name(image.file_name or "")


def unshared_picture(image: ImageInfo) -> None:
    """Return None: the name of a picture in data sets that share no pictures with others."""
