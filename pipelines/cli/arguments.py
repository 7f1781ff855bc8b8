"""Parsing of command-line arguments into numbers, paths and models; errors name the flag."""

import os
import re
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipelines.datasets.spec import MAX_CAP, Cap, DetectionNames
from pipelines.recipes.fault_words import value_faults
from pipelines.recipes.recipe import MAX_SHARD_BYTES
from schemas.console import OUTPUT_FLAGS
from schemas.errors import UsageError
from schemas.near import near_folder

_MAX_PROCESSES = 256
KNOWN_NAMES = get_args(DetectionNames)
# Entries of a parsed command line that are not flags of its command.
_ALWAYS = frozenset({"command", "run", "unknown", "beam_flags"}) | OUTPUT_FLAGS

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|k|m|g|ki|mi|gi)b", re.IGNORECASE)
_DIGITS = re.compile(rf"[0-9]{{1,{len(str(MAX_CAP))}}}")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

_Model = TypeVar("_Model", bound=BaseModel)


def check_flags(
    args: Namespace, models: Collection[type[BaseModel]], others: frozenset[str]
) -> None:
    """Check that each flag of a command is either a field of a model or a listed other flag.

    Args:
        args: a parsed command line, with every flag of the command under its `dest`.
        models: the models whose fields are set from flags by `stated_fields`.
        others: the names of the flags that the command reads itself.

    Raises:
        AssertionError: a flag is neither, and would be ignored, or is both.
    """
    fields = {name for model in models for name in model.model_fields}
    flags = vars(args).keys() - _ALWAYS
    assert not (homeless := sorted(flags - fields - others)), (
        f"neither fields nor listed: {homeless}"
    )
    assert not (double := sorted(flags & fields & others)), f"fields, and listed: {double}"
    assert not (gone := sorted(others - flags)), f"listed, and no flags: {gone}"


def stated_fields(args: Namespace, model: type[BaseModel]) -> dict[str, Any]:
    """Return the values of a model's fields from flags with the same names, without None."""
    given = {name: getattr(args, name, None) for name in model.model_fields}
    return {name: value for name, value in given.items() if value is not None}


def from_flags(
    model: type[_Model], values: Mapping[str, Any], flags: Mapping[str, str] | None = None
) -> _Model:
    """Return a model with values from flags.

    Args:
        model: the class of the model.
        values: the values by field.
        flags: the names of flags by field, for flags that are not named like their field.

    Raises:
        UsageError: a value is invalid; the message names the flag.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = value_faults(error.errors(), values)[0]
        field = str(first.path[0])
        flag = (flags or {}).get(field, f"--{field.replace('_', '-')}")
        raise UsageError(f"{flag}: {first.text}") from None


def parse_size(text: str) -> int:
    """Return a size in bytes from text: `500MB` is 500 million, `500MiB` is 500 times 2^20."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 1 <= size <= MAX_SHARD_BYTES:
        raise UsageError(
            f"--shard-size {text[:200]!r}: expected a size such as 500MB or 2GiB, of at most "
            f"{MAX_SHARD_BYTES >> 30}GiB"
        )
    return int(size)


def parse_paths(given: Sequence[str], sources: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the paths in texts like `vcr.images=/data/vcr1images`, by source and role."""
    paths: dict[str, dict[str, str]] = {}
    for text in given:
        key, _, path = text.partition("=")
        source, _, role = key.partition(".")
        if not role or not path:
            raise UsageError(f"--path {text!r}: expected SOURCE.ROLE=PATH")
        if source not in sources:
            raise UsageError(f"--path {text!r}: source {source!r} is not asked for")
        paths.setdefault(source, {})[role] = folder(path)
    return paths


def detection_paths(given: Sequence[str], names: str | None) -> list[str]:
    """Return `--detections` and `--detection-names` as texts for `parse_paths`.

    For example, `llava=/data/boxes.json` becomes `llava.detections=/data/boxes.json`.
    """
    paths = []
    for text in given:
        source, _, path = text.partition("=")
        if not source or not path:
            raise UsageError(f"--detections {text!r}: expected SOURCE=FILE")
        paths.append(f"{source}.detections={path}")
        if names and names not in KNOWN_NAMES:
            paths.append(f"{source}.detection_names={names}")
    if names and not given:
        raise UsageError("--detection-names goes with --detections SOURCE=FILE")
    return paths


def parse_caps(key: str, given: Sequence[str], sources: Sequence[str]) -> dict[str, Cap]:
    """Return the caps in texts like `20` (for all sources), `coco=50` or `lvis=all`, by source.

    Args:
        key: `per_category` or `per_image`.
        given: the texts, in any order; a cap of a source overrules the cap for all sources.
        sources: the names of the sources.
    """
    caps: dict[str | None, Cap] = {}
    flag = f"--{key.replace('_', '-')}"
    for text in given:
        name, _, number = text.rpartition("=")
        if name and name not in sources:
            raise UsageError(f"{flag} {text}: source {name!r} is not asked for")
        if number == "all":
            caps[name or None] = "all"
        elif _DIGITS.fullmatch(number) and 1 <= int(number) <= MAX_CAP:
            caps[name or None] = int(number)
        else:
            raise UsageError(
                f"{flag} {text[:200]}: expected N, SOURCE=N or SOURCE=all, N from 1 to {MAX_CAP:,}"
            )
    general = dict.fromkeys(sources, caps[None]) if None in caps else {}
    return general | {name: cap for name, cap in caps.items() if name is not None}


def positive(flag: str, number: int) -> int:
    """Return the number of a flag, or raise `UsageError` if the number is less than 1."""
    if number < 1:
        raise UsageError(f"{flag} {number}: expected 1 or more")
    return number


def processes(number: int) -> int:
    """Return a number of processes; raise `UsageError` unless it is 1 to `_MAX_PROCESSES`."""
    if number > _MAX_PROCESSES:
        raise UsageError(f"--workers {number}: expected at most {_MAX_PROCESSES}")
    return positive("--workers", number)


def folder(path: str) -> str:
    """Return a usable path without a slash at its end, or raise `UsageError`."""
    from pipelines.storage import files  # imports Beam, which takes a second

    if not path:
        raise UsageError("a path is empty")
    try:
        path.encode()
    except UnicodeEncodeError:  # the card and the manifest could not contain it
        raise UsageError(f"{path!r}: expected a path in UTF-8") from None
    files.check_reachable(path)
    return path.rstrip("/") or "/"


def existing_folder(path: str, flag: str = "") -> str:
    """Return a usable path like `folder`, or raise `UsageError` where nothing is there.

    Args:
        path: the path of a folder.
        flag: the flag that names it, for the message; empty: a word without a flag does.
    """
    from pipelines.storage import files

    path = folder(path)
    named = f"{flag} {path}".strip()
    if files.is_local(path) and not files.exists(path):  # remote stores have no folders
        raise UsageError(f"{named}: there is no such folder{near_folder(path)}")
    if os.path.isfile(path):
        raise UsageError(f"{named}: this is a file; expected a folder")
    return path


def output_folder(path: str, *outputs: str) -> str:
    """Return a usable path like `folder`, of a folder that is there or that can be made.

    Args:
        path: the path of a folder.
        outputs: the folders of builds that are read, in which nothing else is written.

    Raises:
        UsageError: the path is unusable, leads to or through something that is no folder, or into
            one of the builds.
    """
    from pipelines.storage import files

    path = folder(path)
    if files.is_local(path):
        above = os.path.abspath(path)
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        if not os.path.isdir(above):
            raise UsageError(f"cannot write into {path}: {above} is not a folder; name another one")
        for output in filter(files.is_local, outputs):
            if Path(path).resolve().is_relative_to(Path(output).resolve()):
                raise UsageError(f"cannot write into {path}: {output} is a build; name another one")
    return path
