"""COCO's pictures, which other data sets also annotate: their folders, names and paper.

    coco/train2014/COCO_train2014_000000460986.jpg    coco/train2017/000000460986.jpg

The releases of 2014 and 2017 divide the same pictures differently, so the number alone identifies
a picture.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.datasets.common.picture_folders import list_picture_folders
from schemas.source import SplitInput, Store

COCO_PAPER = (
    "Tsung-Yi Lin, Michael Maire, Serge Belongie, James Hays, Pietro Perona, Deva Ramanan, Piotr "
    "Dollár, C. Lawrence Zitnick. Microsoft COCO: Common Objects in Context. ECCV 2014."
)
FOLDERS = ("train2014", "val2014", "train2017", "val2017")


def list_pictures(
    split: SplitInput, store: Store, folders: Sequence[str] = FOLDERS
) -> dict[str, int]:
    """Return the sizes in bytes of COCO's pictures, by folder and name: `val2017/000000000139.jpg`.

    Args:
        split: the split, whose folder of pictures holds COCO's folders.
        store: the store to list the folders in.
        folders: the names of the folders; some folders may be missing.

    Raises:
        InputFileError: none of the folders can be listed.
    """
    return list_picture_folders(split, store, folders, "COCO")


def find_picture(number: int, listing: Mapping[str, int]) -> str:
    """Return the name of a picture in the listing; where it is missing, the expected name."""
    names = list(_names(number))
    return next((name for name in names if name in listing), names[0])


def _names(number: int) -> Iterator[str]:
    for folder in FOLDERS:
        yield f"{folder}/COCO_{folder}_{number:012}.jpg"
        yield f"{folder}/{number:012}.jpg"
