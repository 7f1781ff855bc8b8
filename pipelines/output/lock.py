"""The lock of an output: one run at a time writes there, and foreign files are never deleted."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import lock_descriptor

from pipelines.output.identity import identity_differences
from pipelines.output.reader import is_shard, names_in, read_identity, read_manifest
from pipelines.storage import files
from schemas.errors import BuildError, InputFileError
from schemas.layout import CARD, IDENTITY, LEDGER, MANIFEST, REJECTED_FOLDER, STATE_FOLDER
from schemas.manifest import BuildIdentity

PATIENCE = 3.0  # seconds; the workers of a run that was killed end within one
POLL_SECONDS = 0.1

_HALF_WRITTEN = re.compile(rf"(.*/)?{re.escape(files.TEMPORARY)}[^/]+-[0-9a-f]{{32}}", re.DOTALL)


@contextmanager
def exclusive_output(
    output: str, identity: BuildIdentity, *, rebuild: bool, keep: str | None = None
) -> Iterator[None]:
    """Hold an output for one build for the length of a block, and delete outdated files there.

    Args:
        output: the folder of the output.
        identity: the identity of the build.
        rebuild: whether existing shards of a build are deleted first; if False, shards that
            an unfinished run of the same build has completed stay.
        keep: a folder of the output that is never deleted.

    Raises:
        BuildError: another run is writing there, or `check_output` refuses the output.
    """
    files.make_folder(output)
    with _locked(output):
        differences = check_output(output, identity, rebuild=rebuild)
        replaces = rebuild or bool(differences)
        outdated = [
            name
            for name in names_in(output)
            if _is_stale(name) or (replaces and _is_ours(name, keep))
        ]
        files.delete([files.join(output, name) for name in outdated])
        content = identity.model_dump_json(indent=2).encode()
        files.write_whole(files.join(output, IDENTITY), content)
        yield


def check_output(output: str, identity: BuildIdentity, *, rebuild: bool) -> list[str]:
    """Return the differences of the build that is already in an output; change nothing.

    Raises:
        BuildError: the output holds files that no build wrote, or the work of another build, and
            `rebuild` is false.
    """
    names = set(names_in(output))
    if IDENTITY in names:
        before = read_identity(output)
    elif MANIFEST in names and (held := _identity_in_manifest(output)):
        before = held
    elif all(_HALF_WRITTEN.fullmatch(name) for name in names):
        return []
    else:
        raise BuildError(
            f"{output} holds files that no build of ours wrote. Choose an empty --output."
        )
    differences = identity_differences(before, identity)
    if differences and not rebuild and any(map(_is_work, names)):
        raise BuildError(
            f"{output} holds another build, which differs in {', '.join(differences)}. "
            "Choose another --output, or replace it with --rebuild."
        )
    return differences


@contextmanager
def _locked(output: str) -> Iterator[None]:
    """Keep other runs from a local output, if its file system has locks."""
    if not files.is_local(output):
        yield
        return
    folder = os.open(output, os.O_RDONLY)
    try:
        _lock(folder, output)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, output: str) -> None:
    """Lock the folder itself: no lock file is left behind, and the lock ends with the process."""
    until = time.monotonic() + PATIENCE
    with suppress(OSError):  # raised where the file system has no locks
        while not lock_descriptor(folder, blocking=False):
            if time.monotonic() > until:
                raise BuildError(
                    f"another run is writing into {output}: wait until it ends, or choose another "
                    "--output"
                )
            time.sleep(POLL_SECONDS)


def _identity_in_manifest(output: str) -> BuildIdentity | None:
    try:
        return read_manifest(output, any_version=True).identity
    except InputFileError:
        return None


def _is_stale(name: str) -> bool:
    """Return whether a file describes the end of an earlier run, or was never finished."""
    describes = name in (MANIFEST, CARD, LEDGER) or name.startswith(f"{REJECTED_FOLDER}/")
    return describes or _HALF_WRITTEN.fullmatch(name) is not None


def _is_ours(name: str, keep: str | None) -> bool:
    """Return whether a build wrote a file, and the file is outside the folder to keep."""
    if name == IDENTITY or (keep is not None and name.startswith(f"{keep}/")):
        return False  # an output must name its build at any moment
    return is_shard(name) or name.startswith(f"{STATE_FOLDER}/")


def _is_work(name: str) -> bool:
    """Return whether a file was costly to make, such as a shard."""
    remembered = name.startswith(f"{STATE_FOLDER}/") and name != IDENTITY
    return is_shard(name) or (remembered and not _HALF_WRITTEN.fullmatch(name))
