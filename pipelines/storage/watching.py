"""A look at something again and again, in a thread, while other work is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watching(name: str, seconds: float, is_over: Callable[[], bool]) -> Iterator[None]:
    """Call a function again and again while a block runs.

    Args:
        name: the name of the thread.
        seconds: the time before each call.
        is_over: the function; after it has returned True, it is not called again.
    """
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(seconds):
            if is_over():
                return

    watcher = threading.Thread(target=watch, name=name, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
