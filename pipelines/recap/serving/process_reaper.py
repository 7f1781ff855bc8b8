"""A process that runs a server for a run of `recap`, so that none of it outlives that run.

    python process_reaper.py GRACE COMMAND...

Run by path, with the standard library alone. The server gets a process group of its own. It is
ended when standard input ends, which our parent closes, or the system does when the parent is
killed. The descendants of a server that ended by itself are ended too. To end means: SIGTERM to
the server and all its descendants, and SIGKILL to those that are left after GRACE seconds. On Linux
that holds for descendants that have left the group as well: orphans are adopted here.

The exit status is the server's: 128 and the signal's number where a signal ended it.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_POLL_SECONDS = 0.1
MAX_KILL_SECONDS = 60.0  # a process that waits for a device takes SIGKILL later
_NOT_STARTED = 127  # as shells have it
_GONE = (ProcessLookupError, PermissionError)


def main() -> int:
    """Run a command and return its exit status."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, _interrupt)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        server = subprocess.Popen(  # noqa: S603 - what the user named
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_STARTED
    with suppress(KeyboardInterrupt):
        _watch(server)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end is under way
    _end(server, grace)
    status = server.returncode or 0
    return status if status >= 0 else 128 - status


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _watch(server: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of the server, or of standard input."""
    while server.returncode is None:
        closed, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if closed:
            return
        _reap(server)


def _reap(server: "subprocess.Popen[bytes]") -> None:
    """Take note of children that have ended, adopted ones among them."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == server.pid:
                server.returncode = os.waitstatus_to_exitcode(ended[1])


def _end(server: "subprocess.Popen[bytes]", grace: float) -> None:
    began = time.monotonic()
    _send(server.pid, signal.SIGTERM)
    while _any_left(server.pid) and (waited := time.monotonic() - began) < grace + MAX_KILL_SECONDS:
        if waited > grace:
            _send(server.pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS / 2)
        _reap(server)
    _reap(server)


def _send(group: int, number: int) -> None:
    if not _LINUX:
        with suppress(*_GONE):
            os.killpg(group, number)
        return
    for process in _descendants():
        with suppress(*_GONE):
            os.kill(process, number)


def _any_left(group: int) -> bool:
    if _LINUX:
        return bool(_descendants())
    with suppress(*_GONE):
        os.killpg(group, 0)
        return True
    return False


def _descendants() -> list[int]:
    """Return the processes below this one that have not ended."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # proc_pid_stat(5): the name, in parentheses, may hold anything.
                state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    children[int(parent)].append(int(folder.name))
    descendants = children[os.getpid()]
    for process in descendants:
        descendants += children[process]
    return descendants


if __name__ == "__main__":
    sys.exit(main())
