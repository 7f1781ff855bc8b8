"""The signs of life of a run's workers on other engines, and the watch on them.

Engines differ in what they do when a worker dies: some start another, some end the job after a
minute, and some wait for ever. So each process of a worker writes a file into the output again and
again, as long as the run's own file is there, and the launcher looks whether any of them changes.
Where the launcher was killed and the next run has begun, the workers of the first end themselves.

    _state/workers/5a1f80c2.run             the run's own file
    _state/workers/5a1f80c2-HOST-4711.txt   12, the twelfth sign of a worker's process
"""

import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from pipelines import VERSION
from pipelines.runner.remote import LOCAL_RUNNERS, is_remote
from pipelines.storage import files
from pipelines.storage.watching import watching
from schemas.errors import BuildError, InputFileError, RegionForgeError, UsageError
from schemas.layout import WORKER_FOLDER
from transforms.stage import WatchedDoFn

SILENT_SECONDS = 120.0  # without a sign of any worker, before the run ends
_BEAT_SECONDS = 5.0
_LOOK_SECONDS = 5.0
_LONGEST_LOOK = 30.0  # what counts of the seconds between two looks
_RUN, _SIGN = ".run", ".txt"
_beating: set[str] = set()  # the runs that this process writes signs for


class Versions(NamedTuple):
    """The versions of what a process runs; workers with others could make other bytes."""

    python: str
    beam: str
    regionforge: str


def versions() -> Versions:
    """Return the versions of what this process runs."""
    major, minor, _ = platform.python_version_tuple()
    return Versions(f"{major}.{minor}", beam.__version__, VERSION)


class Pulse:
    """The signs of life of a process: the first call starts a thread that writes them."""

    def __init__(self, run: str) -> None:
        """Write no sign yet.

        Args:
            run: the path of the run's own file.
        """
        self._run = run
        self._versions = versions()  # of the launcher

    def __call__(self) -> None:
        """Start to write signs of life, unless this process does so already.

        Raises:
            UsageError: this process runs other versions than the launcher.
        """
        if versions() != self._versions:
            raise UsageError(
                f"a worker runs {_words(versions())}, and the launcher {_words(self._versions)}: "
                "start the workers in an environment like the launcher's"
            )
        if self._run not in _beating:
            _beating.add(self._run)
            threading.Thread(target=self._write, name="pulse", daemon=True).start()

    def _write(self) -> None:
        path = f"{self._run.removesuffix(_RUN)}-{socket.gethostname()}-{os.getpid()}{_SIGN}"
        for beat in count():
            with suppress(OSError, InputFileError):  # the next try may succeed
                if not files.exists(self._run):
                    _end_if_replaced(self._run.rpartition("/")[0])
                    return
                files.write_whole(path, str(beat).encode())
            time.sleep(_BEAT_SECONDS)


def _end_if_replaced(folder: str) -> None:
    """End this process where another run has begun, whose work it would do a second time."""
    if any(name.endswith(_RUN) for name, _ in files.walk(folder)):
        os._exit(1)


class _Fitting(PipelineVisitor):
    """A visit to all steps of a pipeline that gives those of ours a pulse."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        """Give a step the pulse."""
        step = transform_node.transform
        if isinstance(step, beam.ParDo) and isinstance(step.fn, WatchedDoFn):
            step.fn.at_setup = self._pulse


class Watch:
    """The watch on the workers of a run, from the process that started it."""

    def __init__(self, output: str, *, start_soon: bool) -> None:
        """Watch nothing yet.

        Args:
            output: the folder of the output, which the workers write into.
            start_soon: whether the workers wait for work already, so that one which gives no sign
                at all is a fault; other engines may first start machines.
        """
        self._output = output
        self._folder = files.join(output, WORKER_FOLDER)
        self._run = files.join(self._folder, f"{uuid.uuid4().hex[:8]}{_RUN}")
        self._start_soon = start_soon
        self._submitted = False
        self._signs: dict[str, bytes] = {}
        self._silent = 0.0  # seconds
        self._looked = time.monotonic()

    def fit(self, pipeline: beam.Pipeline) -> None:
        """Have the steps of a pipeline give signs of life where they run."""
        pipeline.visit(_Fitting(Pulse(self._run)))

    def begin(self) -> None:
        """Count the seconds from now on: the engine has the job."""
        self._submitted = True

    def check(self) -> None:
        """Look at the signs of life.

        Raises:
            BuildError: no worker has given a sign for `SILENT_SECONDS`.
        """
        now = time.monotonic()
        # A process that was stopped looks late, and the workers may have been stopped as well.
        passed = min(now - self._looked, _LONGEST_LOOK)
        try:
            signs = self._read()
            heard = signs != self._signs
        except (OSError, InputFileError):  # the store may answer the next time
            signs, heard = {}, True
        self._silent = 0.0 if heard or not self._submitted else self._silent + passed
        self._signs, self._looked = signs, now
        if self._silent > SILENT_SECONDS:
            self._raise_silence()

    def _read(self) -> dict[str, bytes]:
        own = os.path.basename(self._run).removesuffix(_RUN) + "-"
        names = [name for name, _ in files.walk(self._folder) if name.endswith(_SIGN)]
        return {
            name: files.read(files.join(self._folder, name))
            for name in names
            if name.startswith(own)
        }

    def _raise_silence(self) -> None:
        if self._signs:
            raise BuildError(
                f"no worker has given a sign of life for {SILENT_SECONDS:.0f} s: the last of "
                f"{len(self._signs)} died or is cut off. Finished shards are kept: see to the "
                "workers and run the same command again to go on."
            )
        if self._start_soon:
            raise BuildError(
                f"no worker has given a sign of life within {SILENT_SECONDS:.0f} s: it died, or "
                f"the `python` of its pool lacks {_words(versions())}, or does not reach the "
                f"engine and {self._output}. Mend the pool and run the same command again to go on."
            )

    @contextmanager
    def running(self, end: Callable[[RegionForgeError], None]) -> Iterator[None]:
        """Check again and again while a block runs; call a function with the first error."""
        files.delete(self._files())
        files.write_whole(self._run, b"")

        def is_over() -> bool:
            try:
                self.check()
            except RegionForgeError as error:
                end(error)
                return True
            return False

        try:
            with watching("workers", _LOOK_SECONDS, is_over):
                yield
        finally:
            with suppress(OSError):
                files.delete([self._run, *self._files()])

    def _files(self) -> list[str]:
        names = [name for name, _ in files.walk(self._folder)] if files.exists(self._folder) else []
        return [files.join(self._folder, name) for name in names]


def watch_for(runner: str, flags: Sequence[str], output: str) -> Watch | None:
    """Return a watch on the workers of a run; None where they are its own process, or watched.

    Dataflow starts new machines for those that die, and says so by itself where it cannot.
    """
    options = PipelineOptions(list(flags)).view_as(PortableOptions)
    in_this_process = runner in LOCAL_RUNNERS or options.environment_type == "LOOPBACK"
    if in_this_process or is_remote(runner):
        return None
    return Watch(output, start_soon=options.environment_type == "EXTERNAL")


def _words(of: Versions) -> str:
    return f"Python {of.python}, Apache Beam {of.beam} and RegionForge {of.regionforge}"
