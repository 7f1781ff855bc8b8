"""After a run: whether the build that ended is whole."""

from pipelines.output.lock import IDENTITY, is_shard, names_in, read_identity
from pipelines.output.rejections import REJECTED_FOLDER
from pipelines.plan import Plan
from pipelines.publish import LEDGER, MANIFEST, unreadable
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.ledger import Ledger
from schemas.manifest import Manifest
from schemas.rejection import Reason, Rejection


def outcome(plan: Plan) -> Manifest:
    """Return the manifest of a run that has ended.

    Raises:
        BuildError: an input could not be used, the ledger does not balance, nothing was kept, or
            another run wrote into the output.
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
    _check_undisturbed(plan, manifest)
    _delete_others(plan.output, manifest)
    return manifest


def read_ledger(output: str) -> Ledger:
    """Return the ledger of an output."""
    return Ledger.model_validate_json(_read(files.join(output, LEDGER)))


def _check_undisturbed(plan: Plan, manifest: Manifest) -> None:
    """Raise if what is there is not what was written; remote outputs have no locks."""
    owner = read_identity(files.join(plan.output, IDENTITY))
    sizes = dict(files.walk(plan.output))
    changed = [shard.path for shard in manifest.shards if sizes.get(shard.path) != shard.bytes]
    if owner != plan.identity or changed:
        what = changed[0] if changed else IDENTITY
        raise BuildError(
            f"another run wrote into {plan.output} at the same time: {what} is not what was "
            "written. Run the same command again, alone."
        )


def _delete_others(output: str, manifest: Manifest) -> None:
    """Delete the shards of an earlier run that went into more or fewer: its pictures differed."""
    listed = {shard.path for shard in manifest.shards}
    others = [name for name in names_in(output) if is_shard(name) and name not in listed]
    files.delete([files.join(output, name) for name in others])


def _file_errors(plan: Plan) -> list[str]:
    lines = []
    for source in sorted({split.source for split in plan.splits}):
        path = files.join(plan.output, REJECTED_FOLDER, f"{source}.jsonl")
        if files.exists(path):
            found = map(Rejection.from_line, _read(path).splitlines())
            lines += [item.detail for item in found if item.reason is Reason.UNREADABLE_FILE]
    return list(dict.fromkeys(lines))  # parts of a split may say the same


def _read(path: str) -> bytes:
    return files.FileStore().read(path)
