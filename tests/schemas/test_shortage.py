"""Errors for want of memory or threads are recognised, in whatever form they come."""

import errno

import numpy as np
import pyarrow as pa
import pytest

from schemas.shortage import shortage

MEMORY, THREADS = "out of memory", "no further thread or process can be started"


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (MemoryError(), MEMORY),
        (pa.ArrowMemoryError("malloc of size 64 failed"), MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
        (ImportError("libzstd.so.1: failed to map segment from shared object"), MEMORY),
        (RuntimeError("Traceback (most recent call last):\n  ...\nMemoryError\n"), MEMORY),
        (RuntimeError("...\nnumpy._core._exceptions._ArrayMemoryError: Unable to"), MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), MEMORY),
        (RuntimeError("can't start new thread"), THREADS),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), THREADS),
        (BlockingIOError(errno.EAGAIN, "write could not complete without blocking", 12), None),
        (ValueError("a picture named MemoryError.jpg"), None),
        (OSError(errno.ENOSPC, "No space left on device"), None),
    ],
)
def test_what_was_missing(error, missing) -> None:
    assert shortage(error) == missing


def test_an_array_that_is_too_large() -> None:
    with pytest.raises(MemoryError) as raised:
        np.zeros(2**50)
    assert shortage(raised.value) == MEMORY
