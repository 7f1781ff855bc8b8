"""Before and after a run: whose output this is, and whether the build that ended is whole."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipelines import files
from pipelines.card import CARD
from pipelines.plan import Plan
from pipelines.publish import LEDGER, MANIFEST, unreadable
from pipelines.rejected import REJECTED_FOLDER
from pipelines.shard_state import FOLDER as STATE_FOLDER
from schemas.errors import BuildError
from schemas.ledger import Ledger
from schemas.manifest import BuildIdentity, Manifest
from schemas.rejection import Reason, Rejection

IDENTITY = f"{STATE_FOLDER}/build.json"

_SHARD = re.compile(r"[^/]+/[^/]+-\d{5}-of-\d{5}\.arrow")


def claim_output(plan: Plan, *, rebuild: bool, keep: str | None = None) -> None:
    """Make the output this build's own; what an unfinished run of it has finished stays.

    Raises:
        BuildError: files of others are there, or another build, and `rebuild` was not asked for.
    """
    path = files.join(plan.output, IDENTITY)
    if files.exists(path):
        differences = differences_of(read_identity(path), plan.identity)
        if differences and not rebuild:
            raise BuildError(
                f"{plan.output} holds another build, which differs in {', '.join(differences)}. "
                "Choose another --output, or replace it with --rebuild."
            )
        if differences:
            _clear(plan.output, keep)
    elif any(not _half_written(name) for name in _names(plan.output)):
        raise BuildError(
            f"{plan.output} holds files that no build of ours wrote. Choose an empty --output."
        )
    stale = [name for name in _names(plan.output) if _is_stale(name)]
    files.delete([files.join(plan.output, name) for name in stale])
    files.write_whole(path, plan.identity.model_dump_json(indent=2).encode())


def outcome(plan: Plan) -> Manifest:
    """Return the manifest of a run that has ended.

    Raises:
        BuildError: an input could not be used, the ledger does not balance, or nothing was kept.
    """
    ledger = read_ledger(plan.output)
    if unreadable(ledger):
        raise BuildError("\n".join(_file_errors(plan)))
    if problems := ledger.problems():
        raise BuildError(f"the ledger does not balance: {'; '.join(problems)}")
    manifest = Manifest.model_validate_json(_read(files.join(plan.output, MANIFEST)))
    if not sum(shard.rows for shard in manifest.shards):
        raise BuildError(
            f"nothing was kept; {files.join(plan.output, REJECTED_FOLDER)} says why, item by item"
        )
    _delete_others(plan.output, manifest)
    return manifest


def read_ledger(output: str) -> Ledger:
    """Return the ledger of an output."""
    return Ledger.model_validate_json(_read(files.join(output, LEDGER)))


def _names(output: str) -> Iterator[str]:
    if files.exists(output):
        yield from (name for name, _ in files.walk(output))


def _half_written(name: str) -> bool:
    return name.rpartition("/")[2].startswith(files.TEMPORARY)


def _is_stale(name: str) -> bool:
    """Tell whether a file says what an earlier run came to, or was never finished."""
    told = name in (MANIFEST, CARD, LEDGER) or name.startswith(f"{REJECTED_FOLDER}/")
    return told or _half_written(name)


def _delete_others(output: str, manifest: Manifest) -> None:
    """Delete the shards of an earlier run that went into more or fewer: its pictures differed."""
    listed = {shard.path for shard in manifest.shards}
    others = [name for name in _names(output) if _SHARD.fullmatch(name) and name not in listed]
    files.delete([files.join(output, name) for name in others])


def _file_errors(plan: Plan) -> list[str]:
    lines = []
    for source in sorted({split.source for split in plan.splits}):
        path = files.join(plan.output, REJECTED_FOLDER, f"{source}.jsonl")
        if files.exists(path):
            found = map(Rejection.from_line, _read(path).splitlines())
            lines += [item.detail for item in found if item.reason is Reason.UNREADABLE_FILE]
    return list(dict.fromkeys(lines))  # parts of a split may say the same


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


def _clear(output: str, keep: str | None) -> None:
    """Delete what a build wrote, and nothing else."""
    for name in files.FileStore().sizes(output):
        if name == IDENTITY or (keep is not None and name.startswith(f"{keep}/")):
            continue  # whose output this is, it must tell at any moment
        ours = name in (MANIFEST, CARD, LEDGER) or _SHARD.fullmatch(name)
        if ours or name.startswith((f"{STATE_FOLDER}/", f"{REJECTED_FOLDER}/")):
            files.delete([files.join(output, name)])


def read_identity(path: str) -> BuildIdentity | None:
    """Return whose output it is, by its file `IDENTITY`; None where that is unreadable."""
    try:
        return BuildIdentity.model_validate_json(_read(path))
    except ValidationError:
        return None


def _read(path: str) -> bytes:
    return files.FileStore().read(path)
