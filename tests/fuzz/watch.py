"""The watch over a damaged input's way through our code: what it opens and starts, and how long.

    with watched(root, output) as seen: ...
    seen.faults    ["opens /etc/passwd", "starts a process: touch x"]

It listens to Python's own audit events, so nothing in the code is replaced.
"""

import os
import resource
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

HANG_SECONDS = 30  # of work, or ten times as long of waiting: other processes are busy, too
MEMORY_BYTES = 500 * 1024 * 1024  # of one small file, at most

_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "subprocess.Popen",
              "socket.connect", "socket.getaddrinfo", "urllib.Request",
              "ftplib.connect")  # fmt: skip
_CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
             "os.truncate", "os.chmod", "os.chown", "shutil.rmtree")  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHECKOUT = str(Path(__file__).resolve().parents[2])
_PACKAGES = map(os.path.realpath, sysconfig.get_paths().values())
_CODE = (_CHECKOUT, *_PACKAGES, sys.prefix, sys.base_prefix, "/usr/", "/lib", "/proc/", "/sys/",
         "/dev/null", "/dev/urandom", "/etc/localtime", "/etc/ld.so")  # fmt: skip
_PROTECTED = ("/proc/self/environ", "/proc/self/fd", "/usr/share")


class Hang(BaseException):
    """A damaged input that takes longer than `HANG_SECONDS`; no code catches it by accident."""


@dataclass(slots=True)
class Seen:
    """What was seen that must not happen."""

    below: Sequence[str]  # folders that may be read and written
    pipeline: bool = False  # Beam looks up what it has pickled itself
    calls: bool = False  # a server is called
    faults: list[str] = field(default_factory=list)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        """Note an event if it is a fault."""
        if event == "open":
            self._opened(*args[:3])
        elif event == "pickle.find_class":
            self.faults += [] if self.pipeline else [f"{event}: {args!r:.200}"]
        elif self.calls and (event.startswith("socket.") or args[:1] == ("uname",)):
            return
        elif event in _FORBIDDEN or (event in _CHANGING and not self._is_below(_named(*args))):
            self.faults.append(f"{event}: {args!r:.200}")

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or path in {None, os.devnull}:
            return
        name = os.path.realpath(os.fsdecode(path))
        writes = bool(flags & _WRITING) if isinstance(flags, int) else False
        writes = writes or (isinstance(mode, str) and not set(mode).isdisjoint("wax+"))
        code = name.startswith(_CODE) and not name.startswith(_PROTECTED)
        if not self._is_below(name) and (writes or not code):
            self.faults.append(f"{'writes' if writes else 'opens'} {name!r:.200}")

    def _is_below(self, path: Any) -> bool:
        name = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes) else ""
        return any(name.startswith(folder + "/") or name == folder for folder in self.below)


def _named(path: Any, *others: Any) -> Any:
    """Return the path of an event about a name in an open folder, whose number comes last."""
    folder = others[-1] if others else -1
    if isinstance(path, str) and not os.path.isabs(path) and isinstance(folder, int) and folder > 2:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    return path


_watching: list[Seen] = []
_noting = threading.local()  # busy: what a note itself opens is not noted


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for seen in _watching[-1:]:
        if getattr(_noting, "busy", False):
            return
        try:
            _noting.busy = True
            seen.note(event, args)
        finally:
            _noting.busy = False


def install() -> None:
    """Listen to audit events, from now on to the end of the process."""
    if not getattr(install, "done", False):
        sys.addaudithook(_hook)
        install.done = True  # type: ignore[attr-defined]


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"longer than {HANG_SECONDS} s of work, or ten times as long of waiting")


@contextmanager
def watched(
    *below: Path, memory: int | None = None, pipeline: bool = False, calls: bool = False
) -> Iterator[Seen]:
    """Watch what a block does; it may read and write below some folders only.

    Args:
        below: the folders.
        memory: the bytes by which it may grow; None: `MEMORY_BYTES`.
        pipeline: whether Beam runs in it.
        calls: whether it calls a server.
    """
    install()
    seen = Seen([os.path.realpath(path) for path in below], pipeline, calls)
    before = peak_bytes()
    usual, began = signal.signal(signal.SIGALRM, _ring), time.monotonic()
    signal.signal(signal.SIGPROF, _ring)
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    others, _ = signal.setitimer(signal.ITIMER_REAL, 10 * HANG_SECONDS)  # of whoever tests us, or 0
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
        if others:
            left = max(0.01, others - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left)
        if (grown := peak_bytes() - before) > (memory or MEMORY_BYTES):
            seen.faults.append(f"takes {grown >> 20} MiB of memory")


@contextmanager
def outlasted_threads() -> Iterator[None]:
    """Wait, after a block, for the threads that it has begun.

    A plan that is refused does not wait for the thread that hashes its files; what that one still
    opens would be seen in the next block.
    """
    before = set(threading.enumerate())
    try:
        yield
    finally:
        for thread in set(threading.enumerate()) - before:
            thread.join()


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
