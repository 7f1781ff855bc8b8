"""COCO's pictures, which other data sets also annotate: their folders, names and paper.

    coco/train2014/COCO_train2014_000000460986.jpg    coco/train2017/000000460986.jpg

The releases of 2014 and 2017 divide the same pictures differently, so the number alone identifies
a picture.
"""

from collections.abc import Iterator, Mapping, Sequence

from schemas.errors import InputFileError
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
    listing: dict[str, int] = {}
    problems = []
    for folder in folders:
        try:
            sizes = store.sizes(f"{split.pictures}/{folder}")
        except InputFileError as error:  # few users have all four folders
            problems.append(str(error))
            continue
        listing.update((f"{folder}/{name}", size) for name, size in sizes.items())
    if len(problems) == len(folders):
        raise InputFileError(
            f"{split.pictures}: expected one of COCO's folders of pictures ({', '.join(folders)}), "
            f"or several; {problems[0]}"
        )
    return listing


def find_picture(number: int, listing: Mapping[str, int]) -> str:
    """Return the name of a picture in the listing; where it is missing, the expected name."""
    names = list(_names(number))
    return next((name for name in names if name in listing), names[0])


def _names(number: int) -> Iterator[str]:
    for folder in FOLDERS:
        yield f"{folder}/COCO_{folder}_{number:012}.jpg"
        yield f"{folder}/{number:012}.jpg"
