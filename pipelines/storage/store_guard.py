"""The guards of outputs in stores: a process that lost the lease of one writes nothing more there.

Each is a function that raises an error once the lease is lost. All that writes into a store calls
those of the outputs that its path lies in, and a thread that watches a run calls all of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pipelines.storage.watching import watching
from schemas.errors import BuildError

Guard = Callable[[], None]

_LOOK_SECONDS = 1.0
_guards: dict[str, Guard] = {}  # by the path that outputs begin with


@contextmanager
def guarded(output: str, guard: Guard) -> Iterator[None]:
    """Have a guard asked before each write into an output, for the length of a block."""
    below = output.rstrip("/") + "/"
    _guards[below] = guard
    try:
        yield
    finally:
        del _guards[below]


def check_guards(path: str) -> None:
    """Raise the error of a guard of an output in which a path lies, if it has one."""
    for below, guard in list(_guards.items()):
        if path.startswith(below):
            guard()


@contextmanager
def watched_guards(end: Callable[[BuildError], None]) -> Iterator[None]:
    """Call a function with the error of the first guard that has one, while a block runs."""
    if not _guards:
        yield
        return

    def is_over() -> bool:
        try:
            for guard in list(_guards.values()):
                with suppress(OSError):  # the store may answer the next time
                    guard()
        except BuildError as error:
            end(error)
            return True
        return False

    with watching("guards", _LOOK_SECONDS, is_over):
        yield
