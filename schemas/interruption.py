"""The end of a command by a signal: SIGINT (Ctrl-C), or SIGTERM of `kill` or a scheduler.

Both end a command in the same way: whatever is open is closed and removed, a line says how to go
on, and the exit status is that of a process that the signal ended.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM has come; what handles an interrupt handles it too."""


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Have SIGTERM raise `Terminated` while a block runs; a second one does not disturb its end.

    A process that ignores the signal goes on to, and so does another thread than the main one.
    """
    before = signal.getsignal(signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or before is signal.SIG_IGN:
        yield
        return

    def raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_status(error: KeyboardInterrupt) -> int:
    """Return the exit status of a command that a signal ended."""
    return EXIT_TERMINATED if isinstance(error, Terminated) else EXIT_INTERRUPTED


def ending(error: KeyboardInterrupt) -> str:
    """Return the word for the end: "interrupted", or "ended by SIGTERM"."""
    return "ended by SIGTERM" if isinstance(error, Terminated) else "interrupted"
