"""Extras: optional dependencies that some commands need."""

from importlib import import_module

from schemas.errors import UsageError

MODULES = {  # of each extra, the modules that must be there
    "gcp": ("google.cloud.storage",),
    "s3": ("boto3",),
    "serve": ("aiohttp", "httpx2", "openai"),
}


def require(extra: str, what: str) -> None:
    """Raise `UsageError`, which says what to install, where an extra is missing.

    Args:
        extra: name of the extra.
        what: the flag or path that needs it, for the message.
    """
    try:
        for name in MODULES[extra]:
            import_module(name)
    except ModuleNotFoundError:
        raise UsageError(
            f"{what} needs the extra {extra}: pip install 'regionforge[{extra}]'"
        ) from None
