"""Claim: whose output this is. One run at a time writes there, and what others wrote stays."""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from pipelines.card.card import CARD
from pipelines.datasets.catalog import CATALOG
from pipelines.output.rejections import REJECTED_FOLDER
from pipelines.plan import Plan
from pipelines.publish import LEDGER, MANIFEST
from pipelines.recipes.recap import CONFIG as RECAPD
from pipelines.shards.state import FOLDER as STATE_FOLDER
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.manifest import BuildIdentity, Manifest

IDENTITY = f"{STATE_FOLDER}/build.json"
PATIENCE = 3.0  # seconds; the workers of a run that was killed end within one
POLL_SECONDS = 0.1

_SHARD = re.compile(r"([^/]+)/[^/]+-\d{5}-of-\d{5}\.arrow")
_CONFIGS = {*CATALOG, RECAPD}
_HALF_WRITTEN = re.compile(rf"(.*/)?{re.escape(files.TEMPORARY)}[^/]+-[0-9a-f]{{32}}", re.DOTALL)


@contextmanager
def claimed(plan: Plan, *, rebuild: bool, keep: str | None = None) -> Iterator[None]:
    """Make the output this build's own for the length of a block.

    Args:
        plan: of the build.
        rebuild: whether what a build has written there goes first; else what an unfinished run of
            this one has finished stays.
        keep: a folder of the output that stays all the same.

    Raises:
        BuildError: another run is writing there, or see `check_claim`.
    """
    files.make_folder(plan.output)
    with _alone(plan.output):
        differences = check_claim(plan, rebuild=rebuild)
        clear = rebuild or bool(differences)
        gone = [
            name
            for name in names_in(plan.output)
            if _is_stale(name) or (clear and _is_ours(name, keep))
        ]
        files.delete([files.join(plan.output, name) for name in gone])
        identity = plan.identity.model_dump_json(indent=2)
        files.write_whole(files.join(plan.output, IDENTITY), identity.encode())
        yield


def check_claim(plan: Plan, *, rebuild: bool) -> list[str]:
    """Return what the build in an output differs in, if it may be replaced; change nothing.

    Raises:
        BuildError: files of others are there, or another build's work, and `rebuild` is not asked
            for.
    """
    names = set(names_in(plan.output))
    if IDENTITY in names:
        there = read_identity(files.join(plan.output, IDENTITY))
    elif MANIFEST in names and (manifest := _manifest(plan.output)):
        there = manifest.identity
    elif all(_HALF_WRITTEN.fullmatch(name) for name in names):
        return []
    else:
        raise BuildError(
            f"{plan.output} holds files that no build of ours wrote. Choose an empty --output."
        )
    differences = differences_of(there, plan.identity)
    if differences and not rebuild and any(map(_is_work, names)):
        raise BuildError(
            f"{plan.output} holds another build, which differs in {', '.join(differences)}. "
            "Choose another --output, or replace it with --rebuild."
        )
    return differences


def differences_of(there: BuildIdentity | None, wanted: BuildIdentity) -> list[str]:
    """Return what two builds differ in, as a person would name it."""
    if there is None:
        return ["everything (its record is unreadable)"]
    before, now = _flat(there.recipe), _flat(wanted.recipe)
    found = [
        f"{name} ({before.get(name)!r}, now {now.get(name)!r})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if there.inputs != wanted.inputs:
        changed = {item.name for item in (*there.inputs, *wanted.inputs)}
        same = {item.name for item in there.inputs if item in wanted.inputs}
        found.append(f"the input files ({', '.join(sorted(changed - same) or sorted(changed))})")
    if there.guard != wanted.guard:
        changed = {item.name for item in (*there.guard, *wanted.guard)}
        same = {item.name for item in there.guard if item in wanted.guard}
        found.append(f"the lists of the guard ({', '.join(sorted(changed - same))})")
    if (there.builder, there.schema_version) != (wanted.builder, wanted.schema_version):
        found.append(f"the builder ({there.builder}, now {wanted.builder})")
    return found


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with the keys of each source by the source's name: `coco.year`."""
    found = {key: value for key, value in recipe.items() if key != "sources"}
    sources = recipe.get("sources", [])
    found["sources"] = [source["name"] for source in sources]
    for source in sources:
        found |= {f"{source['name']}.{key}": value for key, value in source.items()}
    return found


def read_identity(path: str) -> BuildIdentity | None:
    """Return whose output it is, by its file `IDENTITY`; None where that is unreadable."""
    try:
        return BuildIdentity.model_validate_json(files.FileStore().read(path))
    except ValidationError:
        return None


def names_in(output: str) -> list[str]:
    """Return the files of an output; none if it is not there, nor any behind a link."""
    found = files.walk(output, links=False) if files.exists(output) else ()
    return [name for name, _ in found]


def is_shard(name: str) -> bool:
    """Tell whether a file of an output is a shard of ours, by its name."""
    found = _SHARD.fullmatch(name)
    return found is not None and found[1] in _CONFIGS


@contextmanager
def _alone(output: str) -> Iterator[None]:
    """Keep other runs off a local output, as far as its file system has locks."""
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
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise BuildError(
                    f"another run is writing into {output}: wait until it ends, or choose another "
                    "--output"
                ) from None
            time.sleep(POLL_SECONDS)
            continue
        except OSError:
            pass  # there are no locks
        return


def _manifest(output: str) -> Manifest | None:
    try:
        content = files.FileStore().read(files.join(output, MANIFEST))
        return Manifest.model_validate_json(content)
    except ValidationError:
        return None


def _is_stale(name: str) -> bool:
    """Tell whether a file says what an earlier run came to, or was never finished."""
    told = name in (MANIFEST, CARD, LEDGER) or name.startswith(f"{REJECTED_FOLDER}/")
    return told or _HALF_WRITTEN.fullmatch(name) is not None


def _is_ours(name: str, keep: str | None) -> bool:
    """Tell whether a build wrote a file, and it is not to be kept."""
    if name == IDENTITY or (keep is not None and name.startswith(f"{keep}/")):
        return False  # whose output this is, it must tell at any moment
    return is_shard(name) or name.startswith(f"{STATE_FOLDER}/")


def _is_work(name: str) -> bool:
    """Tell whether a file took a build some time."""
    noted = name.startswith(f"{STATE_FOLDER}/") and name != IDENTITY
    return is_shard(name) or (noted and not _HALF_WRITTEN.fullmatch(name))
