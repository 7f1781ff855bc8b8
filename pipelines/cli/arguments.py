"""Arguments as they are typed, turned into numbers, paths and models; errors name the flag."""

import re
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipelines.datasets.spec import MAX_CAP, Cap, DetectionNames
from pipelines.recipes.recipe import MAX_SHARD_BYTES
from schemas.errors import UsageError

MAX_PROCESSES = 256
KNOWN_NAMES = get_args(DetectionNames)
# What a command line holds beside the flags of its command.
_ALWAYS = frozenset({"command", "run", "beam_flags"})

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|k|m|g|ki|mi|gi)b", re.IGNORECASE)
_DIGITS = re.compile(rf"[0-9]{{1,{len(str(MAX_CAP))}}}")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

_Model = TypeVar("_Model", bound=BaseModel)


def check_flags(
    args: Namespace, models: Collection[type[BaseModel]], others: frozenset[str]
) -> None:
    """See that each flag of a command is a field of a model, or else one of the others, not both.

    Args:
        args: a command line, with every flag of the command under its `dest`.
        models: those whose fields flags set by `stated_fields`.
        others: the flags that are read by name.

    Raises:
        AssertionError: it is not so; a flag would be ignored in silence.
    """
    fields = {name for model in models for name in model.model_fields}
    flags = vars(args).keys() - _ALWAYS
    assert not (homeless := sorted(flags - fields - others)), (
        f"neither fields nor listed: {homeless}"
    )
    assert not (double := sorted(flags & fields & others)), f"fields, and listed: {double}"
    assert not (gone := sorted(others - flags)), f"listed, and no flags: {gone}"


def stated_fields(args: Namespace, model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a model that flags of the same names set; None stands for no flag."""
    given = {name: getattr(args, name, None) for name in model.model_fields}
    return {name: value for name, value in given.items() if value is not None}


def from_flags(
    model: type[_Model], values: Mapping[str, Any], flags: Mapping[str, str] | None = None
) -> _Model:
    """Return a model of values that were given by flags.

    Args:
        model: its class.
        values: by field.
        flags: as they are spelled, by field, where they are not spelled like the field.

    Raises:
        UsageError: a value is unfit; names its flag.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        flag = (flags or {}).get(field, f"--{field.replace('_', '-')}")
        raise UsageError(f"{flag}: {first['msg']}") from None


def parse_size(text: str) -> int:
    """Return a size in bytes: `500MB` is 500 million, `500MiB` is 500 times 2^20."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 1 <= size <= MAX_SHARD_BYTES:
        raise UsageError(
            f"--shard-size {text[:200]!r}: expected a size such as 500MB or 2GiB, of at most "
            f"{MAX_SHARD_BYTES >> 30}GiB"
        )
    return int(size)


def parse_paths(given: Sequence[str], sources: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return paths like `vcr.images=/data/vcr1images` by source and role."""
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
    """Return detections like `llava=/data/boxes.json`, and their names, as `parse_paths` reads."""
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
    """Return caps like `20`, `coco=50` or `lvis=all` by source; one without a name is for all.

    Args:
        key: `per_category` or `per_image`.
        given: the caps as they are typed, in any order; a cap of one source overrules one for all.
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
    """Return a number that must be 1 or more."""
    if number < 1:
        raise UsageError(f"{flag} {number}: expected 1 or more")
    return number


def processes(number: int) -> int:
    """Return a number of local processes, from 1 to `MAX_PROCESSES`."""
    if number > MAX_PROCESSES:
        raise UsageError(f"--workers {number}: expected at most {MAX_PROCESSES}")
    return positive("--workers", number)


def folder(path: str) -> str:
    """Return the path of a folder without a slash at its end."""
    from pipelines.storage import files  # imports Beam, which takes a second

    if not path:
        raise UsageError("a path is empty")
    try:
        path.encode()
    except UnicodeEncodeError:  # the card and the manifest could not name it
        raise UsageError(f"{path!r}: expected a path in UTF-8") from None
    files.check_reachable(path)
    return path if not files.is_local(path) else (path.rstrip("/") or "/")
