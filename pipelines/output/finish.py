"""The end of a run: the build is checked as a whole, and leftovers of earlier runs are deleted."""

from pipelines.output.losses import Losses
from pipelines.output.reader import (
    is_shard,
    names_in,
    read_identity,
    read_ledger,
    read_manifest,
    read_rejections,
)
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.layout import IDENTITY, state_path
from schemas.ledger import Ledger
from schemas.manifest import BuildIdentity, Manifest
from schemas.rejection import Reason


def finish(output: str, identity: BuildIdentity, *, allow_missing: bool = True) -> Manifest:
    """Return the manifest of a run that has ended, and delete shards that are not of the build.

    Args:
        output: the folder of the output.
        identity: the identity of the build.
        allow_missing: whether most pictures of a split may be missing.

    Raises:
        BuildError: an input could not be used, the ledger does not balance, nothing was kept,
            most pictures of a split are missing, or another run wrote into the output.
    """
    ledger = read_ledger(output)
    if ledger.unreadable_files():
        raise BuildError("\n".join(_file_errors(output, ledger)))
    if problems := ledger.problems():
        raise BuildError(f"the ledger does not balance: {'; '.join(problems)}")
    manifest = read_manifest(output)
    if not sum(shard.rows for shard in manifest.shards):
        raise BuildError(Losses(output, ledger).nothing())
    _check_undisturbed(output, identity, manifest)
    _delete_others(output, manifest)
    if not allow_missing and (missing := list(Losses(output, ledger).missing())):
        raise BuildError(
            "\n".join(missing)
            + "\nGive the folders that hold them, or keep the shards of the rest "
            "with --allow-missing"
        )
    return manifest


def _check_undisturbed(output: str, identity: BuildIdentity, manifest: Manifest) -> None:
    """Raise if an output does not hold the written manifest; remote outputs have no locks."""
    sizes = dict(files.walk(output))
    changed = [shard.path for shard in manifest.shards if sizes.get(shard.path) != shard.bytes]
    if read_identity(output) != identity:
        changed.append(IDENTITY)
    if changed:
        raise BuildError(
            f"another run wrote into {output} at the same time: {changed[0]} is not what was "
            "written. Run the same command again, alone."
        )


def _delete_others(output: str, manifest: Manifest) -> None:
    """Delete shards of an earlier run, whose other pictures gave another number of shards."""
    listed = {shard.path for shard in manifest.shards}
    others = [name for name in names_in(output) if is_shard(name) and name not in listed]
    states = map(state_path, others)
    files.delete([files.join(output, name) for name in (*others, *states)])


def _file_errors(output: str, ledger: Ledger) -> list[str]:
    """Return a line for each unusable input file; repeats from parts of a split are dropped."""
    details = [
        item.detail
        for source in sorted(ledger.sources)
        for item in read_rejections(output, source)
        if item.reason is Reason.UNREADABLE_FILE
    ]
    return list(dict.fromkeys(details))
