"""The state of this process while a pipeline runs in it: its memory, and its temporary folders."""

import ctypes
import gc
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_M_ARENA_MAX = -8  # from malloc.h


@contextmanager
def tuned_memory() -> Iterator[None]:
    """Tune memory for the length of a block."""
    # glibc gives each of Beam's many threads a separate heap, and memory that is freed in a heap
    # cannot be used by other threads: with two heaps, a build takes about a fifth less memory. The
    # garbage collector would take a tenth of the time to search rows, which hold no cycles.
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 2)
    before = gc.get_threshold()
    # The oldest generation, where all that was imported is, is practically never searched.
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def removed_folders() -> Iterator[None]:
    """Remove the temporary folders that Beam makes in the block, and may leave."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="regionforge-", ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before
