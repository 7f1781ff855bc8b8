"""Processes that are forked from a test process as it was before its first test.

That process has imported what the tests import, which takes most of a short command's time, and it
has no threads. A fork of it is as a process that a shell started: its working folder, environment,
streams, signals and exit status are its own, and so are the modules that it is to import anew.

    test process ── fork, before the first test ──> home ── fork, for each order ──> process
                 <────────── a socket: orders, process ids, exit statuses ──────────
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any, BinaryIO, ClassVar, NoReturn

_MESSAGE = 1 << 16  # bytes of the part of an order that comes with the streams
_FAULT, _UNFLUSHED = 1, 120  # exit statuses of Python


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to do.

    Args:
        call: the function to call, as module:function.
        given: what it is given, of JSON.
        folder: the working folder.
        environment: all variables of the environment.
        needed: modules that the home imports before it forks, where it has not.
        anew: packages that the process imports anew when it imports them.
        path: `sys.path`; None: that of the tests.
    """

    call: str
    given: Sequence[Any] = ()
    folder: str
    environment: dict[str, str]
    needed: Sequence[str] = ()
    anew: Sequence[str] = ()
    path: Sequence[str] | None = None


class Process:
    """A process that was forked; it may outlive this object."""

    def __init__(self, connection: socket.socket) -> None:
        self._answers = connection.makefile("r", encoding="ascii")
        self.pid = int(self._answers.readline())
        self._status: int | None = None

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the end; return the exit status, -N after the signal N; None: it still runs."""
        if self._status is None and select.select([self._answers], [], [], seconds)[0]:
            with self._answers as answers:
                self._status = int(answers.readline())
        return self._status


class Forks:
    """The home of forks, as its test process sees it."""

    of_tests: "ClassVar[Forks]"  # that of the process that runs the tests

    def __init__(self, *, quick_beam: bool = False) -> None:
        """Fork the home from this process.

        Args:
            quick_beam: whether Beam is spared, in its processes, what it does again and again.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="forks-"))
        self.address = str(self._folder / "home")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.address)
        listener.listen(64)
        reader, self._life = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._life)
            _live(_Home(listener, reader, quick_beam=quick_beam))
        listener.close()
        os.close(reader)

    def start(self, order: Order, streams: Iterable[int]) -> Process:
        """Fork a process, given its order and the files of its three standard streams."""
        return start(self.address, order, streams)

    def run(self, order: Order) -> CompletedProcess[str]:
        """Fork a process and wait for its end; return what it printed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            with open(os.devnull, "rb") as nothing:
                process = self.start(order, [file.fileno() for file in (nothing, out, errors)])
            status = process.wait()
            assert status is not None
            return CompletedProcess(list(order.given), status, _text(out), _text(errors))

    def end(self) -> None:
        """End the home, and all processes of it that still run."""
        os.close(self._life)
        os.waitpid(self._pid, 0)
        Path(self.address).unlink()
        self._folder.rmdir()


def start(address: str, order: Order, streams: Iterable[int]) -> Process:
    """Fork a process from the home at an address; see `Forks.start`."""
    connection = socket.socket(socket.AF_UNIX)
    with connection:
        connection.connect(address)
        content = json.dumps(asdict(order)).encode() + b"\n"
        socket.send_fds(connection, [content[:_MESSAGE]], list(streams))
        connection.sendall(content[_MESSAGE:])
        return Process(connection)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _live(home: "_Home") -> NoReturn:
    """Fork processes until the test process has ended, or wants no more."""
    atexit._clear()  # what the test process registered, it will do itself
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    try:
        home.answer()
    finally:
        os._exit(0)


class _Home:
    def __init__(self, listener: socket.socket, life: int, *, quick_beam: bool) -> None:
        self._listener, self._life, self._quick_beam = listener, life, quick_beam
        self._woken, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running: dict[int, socket.socket] = {}  # by process id

    def answer(self) -> None:
        """Answer orders; tell of ends."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking)
        files: list[Any] = [self._listener, self._woken, self._life]
        while self._life not in (ready := select.select(files, [], [])[0]):
            if self._woken in ready:
                os.read(self._woken, _MESSAGE)
                self._tell_of_ends()
            if self._listener in ready:
                self._fork(*self._listener.accept())
        for process in self._running:
            os.kill(process, signal.SIGKILL)

    def _tell_of_ends(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                process, status = ended
                with self._running.pop(process) as connection, suppress(OSError):
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def _fork(self, connection: socket.socket, _: object) -> None:
        content, streams, *_ = socket.recv_fds(connection, _MESSAGE, 3)
        while not content.endswith(b"\n"):
            content += connection.recv(_MESSAGE)
        order = Order(**json.loads(content))
        for name in order.needed:
            import_module(name)
        if self._quick_beam and "apache_beam" in sys.modules:
            import_module("tests.quick_beam").make_beam_quick(setattr)
            self._quick_beam = False
        gc.freeze()  # else each process would copy all of it
        assert threading.active_count() == 1, "a lock of another thread would stay locked in a fork"
        process = os.fork()
        if not process:
            for each in (connection, self._listener, *self._running.values()):
                each.close()
            for number in (self._woken, self._waking, self._life):
                os.close(number)
            _begin(order, streams)
        for number in streams:
            os.close(number)
        self._running[process] = connection
        connection.sendall(b"%d\n" % process)


def _begin(order: Order, streams: Sequence[int]) -> NoReturn:
    """Let this process be as one that a shell started, and do what is ordered."""
    status = _FAULT
    try:
        _reset_signals()
        _take_streams(streams)
        os.chdir(order.folder)
        os.environ.clear()
        os.environ.update(order.environment)
        _set_up_imports(order)
        module, _, function = order.call.partition(":")
        status = _status_of(lambda: getattr(import_module(module), function)(*order.given))
    finally:
        os._exit(status)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_streams(streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115


def _set_up_imports(order: Order) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in order.anew]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")
    if order.path is not None:
        sys.path[:] = order.path
        sys.path_importer_cache.clear()
    warnings.resetwarnings()  # to those of Python
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


def _status_of(call: Callable[[], object]) -> int:
    """Call a function, and end what it has begun, as Python does; return the exit status.

    It is what the function returns, or exits with.
    """
    status = 0
    try:
        returned = call()
        status = returned if isinstance(returned, int) else 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else _FAULT if end.code else 0
    except BaseException:  # noqa: BLE001 - it ends the process
        traceback.print_exc()
        status = _FAULT
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = _UNFLUSHED
    return status
