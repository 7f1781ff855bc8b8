"""Visual Genome's pictures: in the owner's two folders, or all in one.

    VG_100K/2370463.jpg    VG_100K_2/2412112.jpg    images/2412112.jpg    2412112.jpg

The urls place some pictures in another folder than the archives do, so a name is looked up in all.
"""

from collections.abc import Mapping

from pipelines.datasets.common.picture_folders import list_picture_folders
from schemas.errors import InputFileError
from schemas.source import SplitInput, Store

FOLDERS = ("VG_100K", "VG_100K_2", "images")  # the owner's, and that of users who have one


def list_pictures(split: SplitInput, store: Store) -> Mapping[str, int]:
    """Return the sizes in bytes of the pictures: in the owner's folders, or else in the folder."""
    try:
        return list_picture_folders(split, store, FOLDERS, "Visual Genome")
    except InputFileError:
        return store.sizes(split.pictures)


def file_name(url: str, listing: Mapping[str, int]) -> str:
    """Return the path of an image's file: folder and name as in the url, or in another folder."""
    files = file_names(url)
    return next((file for file in files if file in listing), files[0])


def file_names(url: str) -> list[str]:
    """Return the possible paths of an image's file, first the path in the url."""
    *_, folder, name = ["", *url.split("/")]
    ordered = sorted(FOLDERS, key=lambda known: known != folder)
    return [*(f"{known}/{name}" for known in ordered), name]
