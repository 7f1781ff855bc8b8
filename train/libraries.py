"""The libraries of the extra `train`: whether they are there, their import, and what they print."""

from importlib import import_module
from importlib.util import find_spec

from schemas.errors import UsageError

_LIBRARIES = ("torch", "torchvision", "transformers")


def require_libraries(command: str) -> None:
    """Check, in next to no time, that the libraries that a command needs are installed.

    Raises:
        UsageError: one is not.
    """
    if not all(map(find_spec, _LIBRARIES)):
        raise UsageError(_needs(command))


def import_libraries(command: str) -> None:
    """Import the libraries that a command needs, which takes seconds.

    Raises:
        UsageError: they cannot be imported, as where their versions do not fit each other.
    """
    try:
        for name in _LIBRARIES:
            import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise UsageError(f"{_needs(command)} ({error})") from error


def hold_transformers_back() -> None:
    """Have transformers print nothing by itself: its log goes where those of all libraries go."""
    from transformers.utils import logging

    logging.disable_default_handler()
    logging.enable_propagation()
    logging.disable_progress_bar()


def _needs(command: str) -> str:
    return f"regionforge {command} needs: pip install 'regionforge[train]'"
