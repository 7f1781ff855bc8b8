"""A command as a process: its streams, and its end.

regionforge build ... | head -1     the reader goes away: the command goes on, and its exit
                                    status is as if all had been read
regionforge build ... > /dev/full   what is printed is lost: the command goes on, says so at
                                    its end, and fails
regionforge build ... >&-           nobody wants to read: the same as > /dev/null
"""

import gc
import io
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TextIO

from schemas import console
from schemas.interruption import ending, exit_status, sigterm_as_interrupt
from schemas.shortage import shortage

_EXIT_ERROR = 1
_EXIT_PATIENCE = 1.0  # seconds for threads that are about to end
_OUT, _ERR = 1, 2  # file descriptors


class _ForgivingStream:
    """A stream that can be written to, whatever becomes of its file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None  # the first one

    def write(self, text: str) -> int:
        """Write a text, or lose it where its file is gone."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        """Send the rest nowhere: also what the stream still holds, and writes when it closes."""
        self.error = self.error or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def run_process(run: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its status; the process ends, whatever threads are left."""
    _open_streams()
    try:
        with sigterm_as_interrupt():
            status = run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else _EXIT_ERROR if end.code else 0
    except KeyboardInterrupt as interrupt:
        console.error(ending(interrupt))
        status = exit_status(interrupt)
    except BaseException as error:  # noqa: BLE001 - a fault of ours must not hang either
        if missing := shortage(error):
            console.error(f"error: {missing}; the last attempt: {_last_line(error)}")
        else:
            console.error(traceback.format_exc().rstrip())
        status = _EXIT_ERROR
    _leave(status)


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def _open_streams() -> None:
    """Open the standard streams that are closed, and have both outputs forgive."""
    # A file that is opened later would get the number of a closed stream, and what it prints.
    while (number := os.open(os.devnull, os.O_RDWR)) <= _ERR:
        if number == _OUT:
            sys.stdout = open(_OUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if number == _ERR:
            sys.stderr = open(_ERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    os.close(number)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # of an encoding that has not all
        if not isinstance(stream, _ForgivingStream):
            setattr(sys, name, _ForgivingStream(stream))


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    if error is not None and not isinstance(error, BrokenPipeError):
        console.error(f"error: standard output cannot be written: {error.strerror}")
        vars(sys.stdout)["error"] = None  # it is said once
        status = status or _EXIT_ERROR
    sys.stderr.flush()
    if status and _threads_stay():
        os._exit(status)  # threads of an abandoned pipeline may never end
    gc.freeze()  # the interpreter would search all it has imported, three times, for nothing
    sys.exit(status)


def _threads_stay() -> bool:
    """Return whether other threads still run after a moment in which they can end.

    A thread that feeds a queue of multiprocessing holds semaphores, which it gives back at its end;
    otherwise multiprocessing warns of a leak.
    """
    until = time.monotonic() + _EXIT_PATIENCE
    with suppress(KeyboardInterrupt):
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
    return threading.active_count() > 1
