"""The lock of an output: one run at a time writes there."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import lock_descriptor

from pipelines.storage import files
from pipelines.storage.store_guard import Guard, guarded
from pipelines.storage.store_lease import held_lease
from schemas.errors import BuildError
from schemas.layout import LEASE_FOLDER

PATIENCE = 3.0  # seconds; the workers of a run that was killed end within one
POLL_SECONDS = 0.1


@contextmanager
def locked_output(output: str) -> Iterator[None]:
    """Make an output, and keep other runs from it for the length of a block.

    Local file systems without locks keep nobody out. Where another run takes over an output in a
    store, because this process was stopped for long, whatever this one writes there is refused.

    Raises:
        BuildError: another run is writing there.
    """
    with locked_folder(output) as guard, guarded(output, guard):
        yield


@contextmanager
def locked_folder(folder: str) -> Iterator[Guard]:
    """Lock a folder like an output, but leave writes alone; yield what would refuse them."""
    if not files.is_local(folder):
        with held_lease(files.join(folder, LEASE_FOLDER), folder) as lease:
            yield lease.check
        return
    files.make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield lambda: None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: str) -> None:
    """Lock the folder itself: no lock file is left behind, and the lock ends with the process."""
    until = time.monotonic() + PATIENCE
    with suppress(OSError):  # raised where the file system has no locks
        while not lock_descriptor(descriptor, blocking=False):
            if time.monotonic() > until:
                raise BuildError(
                    f"another run is writing into {folder}: wait until it ends, or choose another "
                    "--output"
                )
            time.sleep(POLL_SECONDS)
