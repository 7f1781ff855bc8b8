"""Runs a server for a run of `recap`, so that nothing of it outlives that run.

    python guardian.py GRACE COMMAND...

Run by path, with the standard library alone. The server gets a process group of its own. It is
ended when standard input ends, which whoever started us closes, or the system does for one that was
killed; and what a server leaves behind that ended by itself is ended too. To end means: SIGTERM to
every process that came of the server, and SIGKILL to those that are there after GRACE seconds. On
Linux that holds for processes that have left the group as well: orphans are adopted here.

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

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
POLL_SECONDS = 0.1
LAST_SECONDS = 60.0  # that SIGKILL may take: a process that waits for a device takes it later
NOT_STARTED = 127  # as shells have it
GONE = (ProcessLookupError, PermissionError)


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
        return NOT_STARTED
    with suppress(KeyboardInterrupt):
        _watch(server)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the same is under way
    _end(server, grace)
    status = server.returncode or 0
    return status if status >= 0 else 128 - status


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _watch(server: "subprocess.Popen[bytes]") -> None:
    """Return when the server has ended, or nobody wants it any more."""
    while server.returncode is None:
        unwanted, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        if unwanted:
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
    while _any_left(server.pid) and (waited := time.monotonic() - began) < grace + LAST_SECONDS:
        if waited > grace:
            _send(server.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS / 2)
        _reap(server)
    _reap(server)


def _send(group: int, number: int) -> None:
    if not LINUX:
        with suppress(*GONE):
            os.killpg(group, number)
        return
    for process in _descendants():
        with suppress(*GONE):
            os.kill(process, number)


def _any_left(group: int) -> bool:
    if LINUX:
        return bool(_descendants())
    with suppress(*GONE):
        os.killpg(group, 0)
        return True
    return False


def _descendants() -> list[int]:
    """Return the processes that came of this one and have not ended."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # proc_pid_stat(5): the name, in parentheses, may hold anything.
                state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    children[int(parent)].append(int(folder.name))
    found = children[os.getpid()]
    for process in found:
        found += children[process]
    return found


if __name__ == "__main__":
    sys.exit(main())
