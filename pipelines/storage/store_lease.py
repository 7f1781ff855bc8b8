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


class _Claim(NamedTuple):
    """The object of a lease, of any run."""

    number: int
    path: str
    changed: datetime  # by the store's clock


class Lease:
    """A lease that this process holds, and a thread that renews it."""

    def __init__(self, path: str, output: str) -> None:
        """Keep a lease that was just taken.

        Args:
            path: the path of its object.
            output: the output, for messages.
        """
        self._path = path
        self._output = output
        self._renewed = time.monotonic()
        self._lost = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._keeper.start()

    def check(self) -> None:
        """Raise `BuildError` if another run has taken the output over.

        Asks the store only if the lease was not renewed in time, and raises its `OSError`.
        """
        if time.monotonic() - self._renewed > LAPSE_SECONDS:
            self._renew()
        if self._lost:
            raise BuildError(
                f"another run has taken {self._output} over, for this one gave no sign of life for "
                f"{LAPSE_SECONDS:.0f} seconds (stopped, or cut off?). It writes nothing more: see "
                "that the other one ends, then run the same command again"
            )

    def end(self) -> None:
        """Give the lease back."""
        self._ended.set()
        self._keeper.join()
        with suppress(OSError):
            if not self._lost:
                store_files.delete(self._path)

    def _keep(self) -> None:
        while not self._ended.wait(_RENEWAL_SECONDS) and not self._lost:
            with suppress(OSError):  # the next try may succeed
                self._renew()

    def _renew(self) -> None:
        """Write the lease again, unless another run has deleted it as lapsed."""
        with self._lock:
            if self._lost or not store_files.exists(self._path):
                self._lost = True
                return
            _write(self._path, mode="overwrite")
            self._renewed = time.monotonic()


@contextmanager
def held_lease(folder: str, output: str) -> Iterator[Lease]:
    """Hold the lease of an output for the length of a block.

    Args:
        folder: the folder of leases, which is empty while no run writes.
        output: the output, for messages.

    Raises:
        BuildError: another run is writing there.
        OSError: the store does not let us write.
    """
    lease = Lease(_taken(folder, output), output)
    try:
        yield lease
    finally:
        lease.end()


def _taken(folder: str, output: str) -> str:
    """Return the path of a lease of ours, which no other one contests."""
    number = max((lease.number for lease in _leases(folder)), default=0) + 1
    path = f"{folder}/{number:06d}.json"
    try:
        _write(path, mode="create")
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


def _leases(folder: str) -> list[_Claim]:
    leases = []
    for name, _ in store_files.walk(folder):
        path = f"{folder}/{name}"
        with suppress(FileNotFoundError), asking(path):
            changed = client_of(path).modified(key_of(path))
            leases.append(_Claim(int(name.partition(".")[0]), path, changed))
    return sorted(leases)


def _is_over(lease: _Claim, ours: _Claim) -> bool:
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


def _refusal(output: str, lease: _Claim | None = None, ours: _Claim | None = None) -> BuildError:
    hint = ""
    if lease and ours:
        left = LAPSE_SECONDS - (ours.changed - lease.changed).total_seconds()
        hint = f"; if that run was killed on another machine, try again in {left:.0f} seconds"
    return BuildError(
        f"another run is writing into {output}: wait until it ends, or choose another --output"
        f"{hint}"
    )


def _write(path: str, *, mode: str) -> None:
    """Write the object of a lease; `mode` is `create` for one that must not be there yet."""
    with asking(path):
        client_of(path).pipe_file(key_of(path), _ourselves(), mode=mode)


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
