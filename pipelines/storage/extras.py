"""The package's extras, which are optional dependencies that some commands and names need."""

from importlib import import_module
from importlib.util import find_spec

from schemas.errors import UsageError

_MODULES = {  # the modules that each extra must provide
    "azure": ("adlfs",),
    "clip": ("open_clip", "safetensors", "torch"),
    "demo": ("gradio",),
    "gcp": ("gcsfs", "google.cloud.storage"),
    "lmms": ("lmms_eval",),
    "meteor": ("pycocoevalcap",),
    "s3": ("s3fs",),
    "serve": ("aiohttp", "httpx2", "openai"),
    "train": ("torch", "torchvision", "transformers"),
}


def missing_modules() -> dict[str, list[str]]:
    """Return the modules that each extra lacks; none where it is installed. None is imported."""
    return {
        extra: [name for name in modules if not _is_installed(name)]
        for extra, modules in _MODULES.items()
    }


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package that holds it
        return False


def require(extra: str, what: str) -> None:
    """Raise `UsageError` with the command to install an extra, if the extra is missing.

    Args:
        extra: the name of the extra.
        what: the command, path or name that needs the extra, for the message.
    """
    needs = f"{what} needs: pip install 'regionforge[{extra}]'"
    try:
        for name in _MODULES[extra]:
            import_module(name)
    except ModuleNotFoundError:
        raise UsageError(needs) from None
    except (ImportError, OSError, RuntimeError) as error:  # libraries that do not fit each other
        raise UsageError(f"{needs} ({error})") from error
