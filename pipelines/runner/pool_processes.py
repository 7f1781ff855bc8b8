"""The processes of a `ProcessPoolExecutor`, such that none outlives the run that started them.

By itself a pool waits at its end for what its processes do, and they wait for ever where the
process that started them was killed.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children

_POLL_SECONDS = 1.0


@contextmanager
def ended_children() -> Iterator[None]:
    """Kill the processes that were started in a block where an error or a signal ends it."""
    before = set(active_children())
    try:
        yield
    except BaseException:
        for child in set(active_children()) - before:
            child.kill()
        raise


def follow_parent(parent: int) -> None:
    """Have this process end with its parent, which alone handles signals."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
