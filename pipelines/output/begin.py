"""The begin of a run: what is outdated in an output is deleted, and the build is recorded there.

Foreign files are never deleted. An output names its build at any moment.
"""

from collections.abc import Collection, Iterator

from pipelines.output.check import HALF_WRITTEN, Held
from pipelines.output.reader import config_with
from pipelines.storage import files
from schemas.layout import (
    CARD,
    IDENTITY,
    LEDGER,
    MANIFEST,
    REJECTED_FOLDER,
    rejected_path,
    source_state_path,
)
from schemas.manifest import BuildIdentity


def begin(
    output: str,
    identity: BuildIdentity,
    held: Held,
    *,
    finished: Collection[str] = (),
    keep: str | None = None,
) -> None:
    """Delete what a build replaces in an output, and write the build's identity.

    Args:
        output: the folder of the output.
        identity: the identity of the build.
        held: the build in the output, and the sources whose shards are kept.
        finished: those of them that are not read again; all is kept of these.
        keep: a folder of the output that is never deleted.
    """
    outdated = [
        name
        for name in _outdated(held, finished)
        if keep is None or not name.startswith(f"{keep}/")
    ]
    files.delete([files.join(output, name) for name in outdated])
    files.write_whole(files.join(output, IDENTITY), identity.as_json())


def _outdated(held: Held, finished: Collection[str]) -> Iterator[str]:
    """Yield the files of sources that are replaced, of the end of an earlier run, and halves."""
    ends_kept = {rejected_path(config) for config in finished}
    states = {source_state_path(config) for config in held.configs if config not in finished}
    for name in sorted(held.names):
        config = config_with(name)
        rejections = name.startswith(f"{REJECTED_FOLDER}/") and name not in ends_kept
        ends = name in (MANIFEST, CARD, LEDGER) or rejections or name in states
        replaced = config is not None and config not in held.configs
        if ends or replaced or HALF_WRITTEN.fullmatch(name):
            yield name
