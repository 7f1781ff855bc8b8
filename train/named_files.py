"""Files and folders that a command line names: what is not there is said before any work."""

from os.path import exists, isdir

from schemas.errors import UsageError
from schemas.near import near_folder


def check_file(flag: str, path: str | None) -> None:
    """Check that the file of a flag is there, where one is named.

    Raises:
        UsageError: it is not, or it is a folder or an address.
    """
    if path is None:
        return
    if "://" in path:
        raise UsageError(f"{flag} {path}: an address; expected a file, as nothing is fetched")
    if isdir(path):
        raise UsageError(f"{flag} {path}: a folder; expected a file")
    if not exists(path):
        raise UsageError(f"{flag} {path}: no such file")


def check_folder(flag: str, path: str | None) -> None:
    """Check that the folder of a flag is there, where one is named.

    Raises:
        UsageError: it is not.
    """
    if path is not None and not isdir(path):
        raise UsageError(f"{flag} {path}: no such folder{near_folder(path)}")
