"""The parent process of a server, which ends the server and its descendants with a `recap` run.

    python process_reaper.py GRACE COMMAND...

This file is run by path, and uses only the standard library. It runs COMMAND, the server, in a
process group of its own. The reaper ends the server when standard input ends: `recap` closes it, or
the system does if `recap` is killed. It also ends the descendants of a server that has ended by
itself. To end processes, the reaper sends SIGTERM to the server and all its descendants, and after
GRACE seconds SIGKILL to the remaining ones. On Linux this includes descendants that have left the
process group, since the reaper adopts orphans.

The exit status is the server's, or 128 plus the signal's number if a signal ended the server.
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
MAX_KILL_SECONDS = 60.0  # wait after SIGKILL, which is delayed while a process waits for a device
_NOT_STARTED = 127  # as in shells
_GONE = (ProcessLookupError, PermissionError)


def main() -> int:
    """Run the server until it ends or standard input ends; return the server's exit status."""
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
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_STARTED
    with suppress(KeyboardInterrupt):
        _watch(server)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server is being ended already
    _end(server, grace)
    status = server.returncode or 0
    return status if status >= 0 else 128 - status


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _watch(server: "subprocess.Popen[bytes]") -> None:
    """Wait until the server ends or standard input ends."""
    while server.returncode is None:
        closed, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if closed:
            return
        _reap(server)


def _reap(server: "subprocess.Popen[bytes]") -> None:
    """Collect the exit status of all children that have ended, including adopted orphans."""
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
    """Return the ids of all running descendants of this process."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # the process has ended meanwhile
                # See proc_pid_stat(5): the name, in parentheses, may contain any character.
                state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    children[int(parent)].append(int(folder.name))
    descendants = children[os.getpid()]
    for process in descendants:
        descendants += children[process]
    return descendants


if __name__ == "__main__":
    sys.exit(main())
