"""The listing of pictures that lie in several known folders, some of which a user may not have."""

from collections.abc import Sequence

from schemas.errors import InputFileError
from schemas.source import SplitInput, Store


def list_picture_folders(
    split: SplitInput, store: Store, folders: Sequence[str], owner: str
) -> dict[str, int]:
    """Return the sizes in bytes of pictures, by folder and name: `val2017/000000000139.jpg`.

    Args:
        split: the split, whose folder of pictures holds the folders.
        store: the store to list the folders in.
        folders: the names of the folders; some folders may be missing.
        owner: the owner of the pictures, for messages.

    Raises:
        InputFileError: none of the folders can be listed.
    """
    listing: dict[str, int] = {}
    problems = []
    for folder in folders:
        try:
            sizes = store.sizes(f"{split.pictures}/{folder}")
        except InputFileError as error:  # few users have all folders
            problems.append(str(error))
            continue
        listing.update((f"{folder}/{name}", size) for name, size in sizes.items())
    if len(problems) == len(folders):
        raise InputFileError(
            f"{split.pictures}: expected one of {owner}'s folders of pictures "
            f"({', '.join(folders)}), or several; {problems[0]}"
        )
    return listing
