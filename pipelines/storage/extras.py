"""What is installed only where it is asked for: the extras that commands may need."""

from importlib import import_module

from schemas.errors import UsageError

MODULES = {  # of each extra, those without which it is not there
    "gcp": ("google.cloud.storage",),
    "s3": ("boto3",),
    "serve": ("aiohttp", "httpx2", "openai"),
}


def require(extra: str, what: str) -> None:
    """Raise `UsageError`, which says what to install, where an extra is missing.

    Args:
        extra: its name.
        what: needs it.
    """
    try:
        for name in MODULES[extra]:
            import_module(name)
    except ModuleNotFoundError:
        raise UsageError(
            f"{what} needs the extra {extra}: pip install 'regionforge[{extra}]'"
        ) from None
