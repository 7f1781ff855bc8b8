"""Streams that lose nothing of what Beam's local runner sends to its worker processes.

Beam gathers a worker's input in a buffer that a thread empties every second: it takes what is
there, sends it, and clears the buffer (`TimeBasedBufferingClosableOutputStream` in
`apache_beam.runners.worker.data_plane`, seen in 2.77). What is written between the first and the
last of these steps is lost, and sending waits as soon as 100 MB are on their way to a busy worker.
The ledger shows it, for it no longer balances; but a build should not fail for that.

Each chunk that is written holds whole elements, so here it is sent at once, with no buffer and no
limit on waiting chunks: they are in memory anyway, and all are sent before the worker begins, so
that a writer that waited would wait forever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.runners.worker import data_plane

NO_LIMIT = 0  # of a queue of the data plane

Send = Callable[[bytes], None]


class DirectStream(data_plane.ClosableOutputStream):
    """Sends each chunk as it is written."""

    def __init__(self, close: Send, send: Send) -> None:
        super().__init__(close)
        self._send = send

    def write(self, b: bytes, nested: bool = False) -> None:
        """Send a chunk of whole elements."""
        assert not nested, "chunks are whole elements"
        self._send(b)


@contextmanager
def lossless_streams() -> Iterator[None]:
    """Let a runner that is started in the block send its workers all of their input."""
    usual = data_plane.ClosableOutputStream.create

    def create(close: Send, send: Send, time_limit_ms: int) -> Any:
        # Only the runner's side has a time limit; workers clear their buffers as they write.
        return DirectStream(close, send) if time_limit_ms else usual(close, send, time_limit_ms)

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (data_plane.ClosableOutputStream, "create", staticmethod(create)),
        (data_plane, "_DEFAULT_SEND_QUEUE_MAX_BYTES", NO_LIMIT),
        (data_plane, "_DEFAULT_SEND_QUEUE_MAX_ELEMENTS", NO_LIMIT),
    )
    # Another version of Beam may have other names; if rows are lost then, the ledger shows it.
    known = [(owner, name, value) for owner, name, value in replaced if name in vars(owner)]
    before = [vars(owner)[name] for owner, name, _ in known]
    for owner, name, value in known:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for (owner, name, _), value in zip(known, before, strict=True):
            setattr(owner, name, value)
