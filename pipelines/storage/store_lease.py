"""The lease of an output in a store: one run at a time writes there.

A run writes an object with the next number, which the store accepts from one writer alone, and
writes it again while it runs. An older lease that is renewed refuses the run; one whose run ended
without a word lapses. All times are the store's own, so no clock of a machine matters.

    _state/lease/000001.json  {"machine": "5a1f...", "process": 4711, "started": 8841930}
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipelines.storage import store_files
from pipelines.storage.store_client import asking, client_of, key_of
from schemas.errors import BuildError
from schemas.json_decoding import decode

LAPSE_SECONDS = 60.0  # after which a lease that was not renewed holds no more
_RENEWAL_SECONDS = 15.0
_YIELD_SECONDS = 5.0  # within which a run that came later gives way
_POLL_SECONDS = 0.5


class _Holder(msgspec.Struct, frozen=True):
    """The run that holds a lease."""

    machine: str = ""
    process: int = 0
    started: int = 0  # of the process, as its system counts


class _Lease(NamedTuple):
    number: int
    path: str
    changed: datetime  # by the store's clock


@contextmanager
def held_lease(folder: str, output: str) -> Iterator[None]:
    """Hold the lease of an output for the length of a block.

    Args:
        folder: the folder of leases, which is empty while no run writes.
        output: the output, for messages.

    Raises:
        BuildError: another run is writing there.
        OSError: the store does not let us write.
    """
    path = _taken(folder, output)
    ended = threading.Event()
    keeper = threading.Thread(target=_renew, args=(path, ended), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        with suppress(OSError):
            store_files.delete(path)


def _taken(folder: str, output: str) -> str:
    """Return the path of a lease of ours, which no other one contests."""
    number = max((lease.number for lease in _leases(folder)), default=0) + 1
    path = f"{folder}/{number:06d}.json"
    try:
        with asking(path):
            client_of(path).pipe_file(key_of(path), _ourselves(), mode="create")
    except FileExistsError:
        raise _refusal(output) from None
    try:
        _check_uncontested(folder, path, output)
    except BaseException:
        store_files.delete(path)
        raise
    return path


def _check_uncontested(folder: str, path: str, output: str) -> None:
    """Raise `BuildError` if another run holds a lease; delete those that hold no more."""
    until = time.monotonic() + _YIELD_SECONDS
    while True:
        leases = _leases(folder)
        (ours,) = (lease for lease in leases if lease.path == path)
        others = [lease for lease in leases if lease.path != path]
        holding = [lease for lease in others if not _is_over(lease, ours)]
        for lease in others:
            if lease not in holding:
                store_files.delete(lease.path)
        if not holding:
            return
        earlier = [lease for lease in holding if lease.number < ours.number]
        if earlier or time.monotonic() > until:
            raise _refusal(output, holding[0], ours)
        time.sleep(_POLL_SECONDS)  # the later run sees ours, and gives way


def _leases(folder: str) -> list[_Lease]:
    leases = []
    for name, _ in store_files.walk(folder):
        path = f"{folder}/{name}"
        with suppress(FileNotFoundError), asking(path):
            changed = client_of(path).modified(key_of(path))
            leases.append(_Lease(int(name.partition(".")[0]), path, changed))
    return sorted(leases)


def _is_over(lease: _Lease, ours: _Lease) -> bool:
    """Return whether a lease holds no more: it lapsed, or its process on this machine is gone."""
    if (ours.changed - lease.changed).total_seconds() > LAPSE_SECONDS:
        return True
    try:
        holder = decode(_DECODER, store_files.read(lease.path))
    except FileNotFoundError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return holder.machine == _machine() and _started(holder.process) != holder.started


def _refusal(output: str, lease: _Lease | None = None, ours: _Lease | None = None) -> BuildError:
    hint = ""
    if lease and ours:
        left = LAPSE_SECONDS - (ours.changed - lease.changed).total_seconds()
        hint = f"; if that run was killed on another machine, try again in {left:.0f} seconds"
    return BuildError(
        f"another run is writing into {output}: wait until it ends, or choose another --output"
        f"{hint}"
    )


def _renew(path: str, ended: threading.Event) -> None:
    """Write a lease again and again, unless another run has deleted it as lapsed."""
    while not ended.wait(_RENEWAL_SECONDS):
        with suppress(OSError):  # the next try may succeed
            if store_files.exists(path):
                store_files.write_whole(path, _ourselves())


def _ourselves() -> bytes:
    process = os.getpid()
    return msgspec.json.encode(_Holder(_machine(), process, _started(process)))


@cache
def _machine() -> str:
    """Return a digest that tells this machine, and container, from others."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return ""
    processes = Path("/proc/self/ns/pid").readlink()
    text = f"{boot.read_text(encoding='ascii')} {processes} {os.uname().nodename}"
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _started(process: int) -> int:
    """Return when a process of this machine was started, in ticks; 0 where there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    after_name = status.rpartition(")")[2].split()
    return 0 if after_name[0] == "Z" else int(after_name[19])


_DECODER = msgspec.json.Decoder(_Holder)
