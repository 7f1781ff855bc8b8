"""Threads that cannot be started, which Beam and gRPC would pass over, and then wait for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.shortage import shortage


@contextmanager
def on_failed_thread(report: Callable[[BaseException], None]) -> Iterator[None]:
    """Report each thread of this process that cannot be started while a block runs."""
    usual = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        try:
            usual(thread)
        except (RuntimeError, MemoryError) as error:
            if shortage(error):
                report(error)
            raise

    threading.Thread.start = start  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        threading.Thread.start = usual  # type: ignore[method-assign]


def check_threads(count: int) -> None:
    """Raise `RuntimeError` where a number of threads cannot be started at once.

    gRPC starts threads of its own, and aborts the process where one of them cannot be started.
    """
    end, threads = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            threads.append(thread)
    finally:
        end.set()
        for thread in threads:
            thread.join()
