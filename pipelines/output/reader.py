"""The reader of an output's files other than shards: manifest, ledger, identity, rejections.

A file that cannot be read raises an `InputFileError` that names it. Rows are read by
`pipelines.shards.reader`.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError

from pipelines.datasets.catalog import CATALOG
from pipelines.recipes.recap import CONFIG as RECAPD
from pipelines.storage import files
from schemas.errors import InputFileError, NoOutputError, OtherSchemaError
from schemas.json_decoding import decode
from schemas.layout import (
    IDENTITY,
    JOURNAL_FOLDER,
    LEASE_FOLDER,
    LEDGER,
    MANIFEST,
    STATE_FOLDER,
    config_of,
    rejected_path,
)
from schemas.ledger import Ledger
from schemas.manifest import BuildIdentity, Manifest
from schemas.rejection import Rejection
from schemas.shard import VERSION

_Model = TypeVar("_Model", bound=BaseModel)


def names_in(output: str) -> list[str]:
    """Return the paths of all files of an output, relative to the output.

    The result is empty where the output does not exist; links to folders are not followed. The
    lease of a run that writes there is no file of the output.
    """
    return list(sizes_in(output))


def sizes_in(output: str) -> dict[str, int]:
    """Return the sizes in bytes of the files that `names_in` lists, by their paths."""
    if files.is_local(output) and not files.exists(output):
        return {}
    listing = files.walk(output, links=False)
    return {name: size for name, size in listing if not name.startswith(f"{LEASE_FOLDER}/")}


def check_sizes(folder: str, listed: Iterable[tuple[str, int]]) -> None:
    """Check that files are there with the sizes in bytes that a manifest lists.

    Args:
        folder: the folder of an output, or of an export.
        listed: paths below the folder, and sizes.

    Raises:
        InputFileError: a file is missing, or has another size.
    """
    for name, size in listed:
        path = files.join(folder, name)
        there = files.size_if_there(path)
        if there is None:
            raise InputFileError(f"{path} is not there, though it is listed")
        if there != size:
            raise InputFileError(f"{path} has {there:,} bytes; {size:,} are listed")


def is_shard(name: str) -> bool:
    """Return whether a file of an output is a shard, by its name."""
    return _is_config(config_of(name))


def _is_config(name: str | None) -> bool:
    return name is not None and (name in CATALOG or name == RECAPD)


def config_with(name: str) -> str | None:
    """Return the config that a shard, or a file of `_state/`, belongs to; None for other files."""
    if is_shard(name):
        return config_of(name)
    if name.startswith(f"{JOURNAL_FOLDER}/"):
        return RECAPD
    below = name.removeprefix(f"{STATE_FOLDER}/")
    config = below.partition("/")[0].removesuffix(".json")
    return config if below != name and _is_config(config) else None


def read_manifest(output: str, name: str = MANIFEST) -> Manifest:
    """Return the manifest of a finished build.

    Args:
        output: the folder of the build.
        name: the name of the manifest's file in that folder.

    Raises:
        NoOutputError: no build has written into the folder.
        OtherSchemaError: the build is of another schema version.
        InputFileError: there is no manifest, or it cannot be used; the message says what to do.
    """
    path = files.join(output, name)
    try:
        content = files.FileStore().read(path)
        _check_version(output, path, content, _ManifestVersion)
        return _parse(path, "manifest", content, Manifest)
    except OtherSchemaError:
        raise
    except InputFileError as error:
        if not _holds_output(output, path):
            raise NoOutputError(f"no output is in {output}: {path} is not there") from None
        advice = (
            "this is not a finished build; give the command that wrote it again, it goes on where "
            "it stopped"
        )
        raise InputFileError(f"{error}: {advice}") from None


def _holds_output(output: str, manifest: str) -> bool:
    """Return whether a build has written into a folder; True where that cannot be told."""
    try:
        return files.exists(manifest) or files.exists(files.join(output, STATE_FOLDER))
    except OSError:
        return True


def read_ledger(output: str) -> Ledger:
    """Return the ledger of an output, or raise `InputFileError`."""
    path = files.join(output, LEDGER)
    return _parse(path, "ledger", files.FileStore().read(path), Ledger)


def read_identity(output: str) -> BuildIdentity | None:
    """Return the identity of the build that last began in an output; None if the file is damaged.

    Raises:
        OtherSchemaError: the build is of another schema version.
        InputFileError: there is no such file, or it cannot be read.
    """
    path = files.join(output, IDENTITY)
    content = files.FileStore().read(path)
    _check_version(output, path, content, _Version)
    try:
        return BuildIdentity.model_validate_json(content)
    except ValidationError:
        return None


def read_rejections(output: str, config: str) -> Iterator[Rejection]:
    """Yield the rejected items of a config, line by line; nothing where there is no file.

    Raises:
        InputFileError: the file cannot be read, or a line is no rejected item.
    """
    path = files.join(output, rejected_path(config))
    if not files.exists(path):
        return
    try:
        file = cast(io.RawIOBase, files.open_read(path))
        with io.BufferedReader(file, files.CHUNK_BYTES) as lines:
            for number, line in enumerate(lines, start=1):
                yield _rejection(line, f"{path}: line {number}")
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error}") from None


def _rejection(line: bytes, where: str) -> Rejection:
    try:
        return Rejection.from_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{where}: not a rejected item: {error}") from None


def _parse(path: str, what: str, content: bytes, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise InputFileError(f"{path} cannot be read as a {what} ({reason})") from None


class _Version(msgspec.Struct):
    schema_version: str
    builder: str = "an unknown builder"
    recipe: dict[str, Any] = {}


class _ManifestVersion(msgspec.Struct):
    identity: _Version


def _check_version(
    output: str, path: str, content: bytes, model: type[_Version] | type[_ManifestVersion]
) -> None:
    """Raise `OtherSchemaError` for a file that states another schema version than ours."""
    try:
        stated = decode(msgspec.json.Decoder(model), content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    held = stated.identity if isinstance(stated, _ManifestVersion) else stated
    if held.schema_version != VERSION:
        again = "build it again with --rebuild"
        if "captioning" in held.recipe:
            again = _recap_command(output, held.recipe)
        raise OtherSchemaError(
            f"{path} is of schema {held.schema_version}, by {held.builder}; expected {VERSION}: "
            f"{again}"
        )


def _recap_command(output: str, recipe: Mapping[str, Any]) -> str:
    """Return what to do with an output of `recap` of another schema version."""
    match recipe:
        case {"sources": [{"name": str(source)}]}:
            command = f"regionforge recap --source {source} --output {output}"
            return f"build again; captions are kept: {command}, with its other flags as they were"
    return "build again with `regionforge recap`; captions are kept"
