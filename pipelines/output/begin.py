"""The begin of a run: what is outdated in an output is deleted, and the build is recorded there.

Foreign files are never deleted. An output names its build at any moment.
"""

from collections.abc import Iterator

from pipelines.output.check import HALF_WRITTEN, Held
from pipelines.output.reader import config_with
from pipelines.storage import files
from schemas.layout import CARD, IDENTITY, LEDGER, MANIFEST, REJECTED_FOLDER
from schemas.manifest import BuildIdentity


def begin(output: str, identity: BuildIdentity, held: Held, *, keep: str | None = None) -> None:
    """Delete what a build replaces in an output, and write the build's identity.

    Args:
        output: the folder of the output.
        identity: the identity of the build.
        held: the build in the output, and the sources to keep.
        keep: a folder of the output that is never deleted.
    """
    outdated = [name for name in _outdated(held) if keep is None or not name.startswith(f"{keep}/")]
    files.delete([files.join(output, name) for name in outdated])
    content = identity.model_dump_json(indent=2).encode()
    files.write_whole(files.join(output, IDENTITY), content)


def _outdated(held: Held) -> Iterator[str]:
    """Yield the files of sources that are replaced, of the end of an earlier run, and halves."""
    for name in sorted(held.names):
        config = config_with(name)
        describes = name in (MANIFEST, CARD, LEDGER) or name.startswith(f"{REJECTED_FOLDER}/")
        replaced = config is not None and config not in held.configs
        if describes or replaced or HALF_WRITTEN.fullmatch(name):
            yield name
