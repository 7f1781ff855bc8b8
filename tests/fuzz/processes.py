"""The processes of a session, as `/proc` shows them."""

import time
from pathlib import Path

_STRAGGLERS_MAY_TAKE = 20.0  # seconds to end once the launcher has


def members(session: int) -> dict[int, str]:
    """Return the command lines of the living processes of a session."""
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                command = (folder / "cmdline").read_text("utf-8", "replace")
                commands[int(folder.name)] = command.replace("\0", " ")
        except (OSError, ValueError, IndexError):  # it has just ended
            continue
    return commands


def worker_of(session: int) -> int | None:
    """Return a worker process of a build."""
    others = {pid: line for pid, line in members(session).items() if pid != session}
    return next((pid for pid, line in others.items() if "relay" not in line), None)


def largest(session: int) -> int | None:
    """Return the process that holds most memory, the launcher apart."""
    sizes = {}
    for pid in members(session):
        try:
            pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
        except OSError:
            continue
        sizes[pid] = int(pages)
    sizes.pop(session, None)
    return max(sizes, key=lambda pid: sizes[pid], default=None)


def wait_until_gone(session: int) -> dict[int, str]:
    """Return the processes of a session that do not end."""
    end = time.monotonic() + _STRAGGLERS_MAY_TAKE
    while (left := members(session)) and time.monotonic() < end:
        time.sleep(0.02)
    return left
