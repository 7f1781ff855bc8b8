"""The messages for weights that cannot be read, or do not fit: missing, surplus, another shape."""

import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from schemas.errors import InputFileError

PICKLE = (
    "a pickle of more than tensors, which could run any code, is not opened. Ask its owner for "
    "safetensors"
)


@contextmanager
def unreadable_named(origin: Any) -> Iterator[None]:
    """Turn what transformers raises on unreadable weights into InputFileError with the folder."""
    try:
        yield
    except pickle.UnpicklingError as error:
        raise InputFileError(f"{origin}: {PICKLE}") from error
    except SafetensorError as error:
        raise InputFileError(
            f"{origin}: a weight file is cut off, or not safetensors: {error}"
        ) from error


def refuse_misfit(
    origin: Any, report: Mapping[str, Any], files: Mapping[str, Path] | None = None
) -> None:
    """Raise InputFileError where weights do not fit a model, naming the first keys of each kind.

    Args:
        origin: the folder or file that was loaded.
        report: `missing_keys` that the model has and the files do not, `unexpected_keys` that the
            files have and the model does not, `mismatched_keys` as tuples of key, shape in the
            file, shape in the model; as transformers' `output_loading_info` gives them.
        files: the file of each key, where it is known.
    """
    files = files or {}
    shapes = {
        key: f" is {list(actual)}, expected {list(wanted)}"
        for key, actual, wanted in report.get("mismatched_keys", ())
    }
    kinds = {
        "missing": list(report.get("missing_keys", ())),
        "surplus": [_with_file(key, files) for key in report.get("unexpected_keys", ())],
        "of another shape": [_with_file(key, files) + shape for key, shape in shapes.items()],
    }
    problems = [f"{len(keys)} {kind}: {listed(keys)}" for kind, keys in kinds.items() if keys]
    if problems:
        raise InputFileError(f"{origin}: the weights do not fit: {'; '.join(problems)}")


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return names in order, the first few of many: `a, b, c, d and 3 more`."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def _with_file(key: str, files: Mapping[str, Path]) -> str:
    return f"{key} ({files[key].name})" if key in files else key
