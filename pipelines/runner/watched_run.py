"""The run of a pipeline such that no failure goes unseen: each ends it with one error.

Beam's local runner waits forever for a worker that died or does not answer, and for a thread that
could not be started. So the pipeline runs in a thread, and the main thread waits for its end or for
the first thing that is known to prevent it.
"""

import errno
import logging
import os
import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import grpc

from pipelines import VERSION
from pipelines.runner.signs_of_life import Watch
from pipelines.runner.stall import Display, watched_movement
from pipelines.runner.thread_starts import check_threads, on_failed_thread
from pipelines.runner.worker_pool import WorkerPool
from pipelines.storage.store_guard import watched_guards
from schemas.console import detail
from schemas.errors import BuildError, RegionForgeError
from schemas.shortage import shortage

_NO_SPACE = os.strerror(errno.ENOSPC)
# Text that Beam adds to an error; and a file system's error within the text of another error.
_WHILE_RUNNING = re.compile(r" \[while running '[^']*'\]")
# The error of a job of another engine: a text with its traces, and the cause in one of its lines.
_OF_A_JOB = re.compile(r"failed in state \w+: (.+)", re.DOTALL)
_UNREACHED = re.compile(r'details = "(.+)"')
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
_OF_BEAM = re.compile(r'File "([^"]+)/apache_beam/')  # a line of a trace in Beam's code
_OUR_PACKAGES = ("pipelines", "prompts", "schemas", "transforms")
_OURS = re.compile(r"^schemas\.errors\.\w+: (.+)$", re.MULTILINE)  # raised in a worker process
_OF_A_FILE = re.compile(r"(?:\[Errno \d+\] |BeamIOError: )(.+)")

_THREADS, _THREADS_PER_WORKER = 8, 8  # at least, of Beam and gRPC in this process

_End = Callable[[BaseException | None], None]


def run_watched(
    work: Callable[[], None],
    output: str,
    pool: WorkerPool | None,
    display: Display | None,
    workers: Watch | None = None,
) -> None:
    """Run a pipeline to its end.

    Args:
        work: function that runs it.
        output: the folder that it writes into, for messages.
        pool: the worker processes, if there are any.
        display: the display of its progress; None: it runs on other machines.
        workers: the watch on the workers of another engine, if they give signs of life.

    Raises:
        BaseException: the first error of the pipeline, its workers or its threads, with a message
            for the user where it is one that the user can mend.
    """
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            if pool:
                check_threads(_THREADS + _THREADS_PER_WORKER * len(pool.workers))
            work()
            ended.put(None)
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            ended.put(error)

    with (
        _thread_deaths(ended.put, pool),
        _logged_shortages(ended.put),
        watched_movement(pool, display, ended.put),
        on_failed_thread(ended.put),
        watched_guards(ended.put),
        workers.running(ended.put) if workers else nullcontext(),
    ):
        threading.Thread(target=run, name="build", daemon=True).start()
        error = ended.get()
        if error is not None:
            raise _explained(error, output) from error


def _explained(error: BaseException, output: str) -> BaseException:
    """Return an error with a message for the user; errors of this package's code stay unchanged."""
    # Beam wraps errors in other errors, and worker processes send their errors as text.
    text = _WHILE_RUNNING.sub("", str(error))
    if isinstance(error, RegionForgeError):
        return type(error)(text)
    if ours := _OURS.findall(text.replace("\\n", "\n")):
        detail(text)
        return BuildError(ours[-1])
    if isinstance(error, grpc.RpcError):
        detail(text)
        return BuildError(
            f"the job server answers no more: {_cause(text)}. Finished shards are kept: start it "
            "and run the same command again."
        )
    if missing := shortage(error):
        return BuildError(
            f"{missing}: use fewer --workers, or raise the limit. Finished shards are kept: run "
            "the same command again to go on."
        )
    if _NO_SPACE in text:
        return BuildError(
            f"no space is left for {output}. Finished shards are kept: make room and run "
            "the same command again."
        )
    if causes := _OF_A_FILE.findall(text):
        return BuildError(
            f"a file could not be read or written: {causes[-1]}. Finished shards are kept: mend it "
            "and run the same command again."
        )
    if job := _OF_A_JOB.search(text):
        detail(text)
        if lacking := _lacking(job[1].replace("\\n", "\n")):
            return BuildError(lacking)
        return BuildError(
            f"the runner's job failed: {_cause(job[1])}. Finished shards are kept: mend it and run "
            "the same command again."
        )
    return error


def _lacking(trace: str) -> str | None:
    """Return what to do where a worker lacks a package of ours, or one that we need."""
    missing = _MISSING.search(trace)
    if missing is None:
        return None
    folders = _OF_BEAM.findall(trace, 0, missing.start())
    where = f" in {folders[-1]}, where its Beam is" if folders else ""
    ours = f"RegionForge {VERSION}"
    lacks = f"{ours} (no module {missing[1]})" if missing[1] in _OUR_PACKAGES else missing[1]
    return (
        f"the `python` of a worker lacks {lacks}{where}. Install {ours} there, with the extras "
        "that this process has (in a checkout, `make sdist` makes what pip takes), start the "
        "workers again and run the same command again."
    )


def _cause(trace: str) -> str:
    """Return the line of a trace that says what happened: the last one, or gRPC's details."""
    lines = [line.strip() for line in trace.replace("\\n", "\n").splitlines() if line.strip()]
    unreached = _UNREACHED.findall(trace)
    return unreached[-1] if unreached else lines[-1].rstrip(".")


@contextmanager
def _thread_deaths(end: _End, pool: WorkerPool | None) -> Iterator[None]:
    """Report the death of a worker process, or of a thread for want of memory."""
    before = threading.excepthook
    failed = threading.Event()

    def report(args: threading.ExceptHookArgs) -> None:
        if failed.is_set() or args.exc_value is None:
            return
        if args.thread is not None and args.thread.name == "run_worker":
            cause = pool.death() if pool else str(args.exc_value)
            end(
                BuildError(
                    f"a worker process died: {cause}. Finished shards are kept: run the same "
                    "command again to go on."
                )
            )
        elif shortage(args.exc_value):
            end(args.exc_value)
        elif not isinstance(args.exc_value, grpc.RpcError):
            before(args)

    threading.excepthook = report
    try:
        yield
    except BaseException:
        failed.set()  # threads of the workers that are ended now raise, and are not worth a word
        raise
    threading.excepthook = before


class _Shortages(logging.Handler):
    """A log handler that reports errors for want of memory or threads, which gRPC only logs."""

    def __init__(self, end: _End) -> None:
        super().__init__(logging.ERROR)
        self._end = end

    def emit(self, record: logging.LogRecord) -> None:
        """Report the error in a log record, if it is one."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and shortage(error):
            self._end(error)


@contextmanager
def _logged_shortages(end: _End) -> Iterator[None]:
    handler, logger = _Shortages(end), logging.getLogger("grpc")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
