"""Threads that cannot be started, which Beam and gRPC would pass over, and then wait for."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

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

    with _on_stillborn_thread(report):
        threading.Thread.start = start  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            threading.Thread.start = usual  # type: ignore[method-assign]


@contextmanager
def _on_stillborn_thread(report: Callable[[BaseException], None]) -> Iterator[None]:
    """Report each thread that dies for want of memory before its first step.

    `Thread.start` waits for that step for ever. Python passes the error to `sys.unraisablehook`,
    in the dying thread, which has no memory for a call of Python code either. So the hook is a
    method that is written in C, and a thread that was started before does the rest.
    """
    usual = sys.unraisablehook
    ignored: SimpleQueue[sys.UnraisableHookArgs | None] = SimpleQueue()

    def pass_on() -> None:
        for args in iter(ignored.get, None):
            if args.exc_value is not None and shortage(args.exc_value):
                report(args.exc_value)
            else:
                usual(args)

    thread = threading.Thread(target=pass_on, name="ignored errors", daemon=True)
    thread.start()
    sys.unraisablehook = ignored.put
    try:
        yield
    finally:
        sys.unraisablehook = usual
        ignored.put(None)
        thread.join()


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
