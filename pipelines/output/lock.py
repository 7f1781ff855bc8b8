"""The lock of an output: one run at a time writes there."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import lock_descriptor

from pipelines.storage import files
from pipelines.storage.store_lease import held_lease
from schemas.errors import BuildError
from schemas.layout import LEASE_FOLDER

PATIENCE = 3.0  # seconds; the workers of a run that was killed end within one
POLL_SECONDS = 0.1


@contextmanager
def locked_output(output: str) -> Iterator[None]:
    """Make an output, and keep other runs from it for the length of a block.

    Local file systems without locks keep nobody out.

    Raises:
        BuildError: another run is writing there.
    """
    if not files.is_local(output):
        with held_lease(files.join(output, LEASE_FOLDER), output):
            yield
        return
    files.make_folder(output)
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
