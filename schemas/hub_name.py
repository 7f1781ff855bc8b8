"""Models that are named by their folder, or by their name on the Hugging Face Hub."""

from os.path import isdir
from pathlib import Path

from schemas.errors import UsageError
from schemas.near import near_folder


def check_model_name(name: str) -> None:
    """Check that a name is a folder's or, by its form, a model's on the Hub: `owner/model`.

    Raises:
        UsageError: it is neither.
    """
    if isdir(name):
        return
    if Path(name).is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise UsageError(
            f"{name}: no such folder{near_folder(name)}, and no name of a model on the Hub "
            "(owner/model)"
        )
