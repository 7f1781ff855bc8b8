"""A folder of a model that is written whole or not at all."""

from contextlib import AbstractContextManager
from pathlib import Path

from safetensors import SafetensorError

from schemas import new_folder as folders


def new_folder(path: str | Path) -> AbstractContextManager[Path]:
    """Return a context in which a folder is written; see `schemas.new_folder`."""
    return folders.new_folder(path, failures=(SafetensorError,), settle=True)
