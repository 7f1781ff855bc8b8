"""Streams from Beam's local runner to its worker processes that lose no data.

Beam collects the input of a worker in a buffer. Every second a thread copies the buffer, sends the
copy, and clears the buffer (`TimeBasedBufferingClosableOutputStream` in
`apache_beam.runners.worker.data_plane`, seen in 2.77). Data that is written between the copy and
the clearing is lost, and sending blocks as soon as 100 MB are on their way to a busy worker. The
ledger shows the loss, since it does not balance, but a build should not fail because of it.

Each written chunk holds whole elements, so the streams here send it at once, without a buffer and
without a limit on waiting chunks. The chunks are in memory anyway, and all are sent before the
worker begins, so that a writer that blocked would wait forever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.runners.worker import data_plane

_NO_LIMIT = 0  # size of a queue of the data plane

Send = Callable[[bytes], None]


class DirectStream(data_plane.ClosableOutputStream):
    """An output stream that sends each chunk when it is written."""

    def __init__(self, close: Send, send: Send) -> None:
        super().__init__(close)
        self._send = send

    def write(self, b: bytes, nested: bool = False) -> None:
        """Send a chunk of whole elements."""
        assert not nested, "chunks are whole elements"
        self._send(b)


@contextmanager
def lossless_streams() -> Iterator[None]:
    """Make a runner that is started in the block use streams that lose no data."""
    usual = data_plane.ClosableOutputStream.create

    def create(close: Send, send: Send, time_limit_ms: int) -> Any:
        # Only the runner's streams have a time limit, and so a thread that clears their buffers.
        return DirectStream(close, send) if time_limit_ms else usual(close, send, time_limit_ms)

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (data_plane.ClosableOutputStream, "create", staticmethod(create)),
        (data_plane, "_DEFAULT_SEND_QUEUE_MAX_BYTES", _NO_LIMIT),
        (data_plane, "_DEFAULT_SEND_QUEUE_MAX_ELEMENTS", _NO_LIMIT),
    )
    # Another version of Beam may have other names; the ledger would then show lost rows.
    known = [(owner, name, value) for owner, name, value in replaced if name in vars(owner)]
    before = [vars(owner)[name] for owner, name, _ in known]
    for owner, name, value in known:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for (owner, name, _), value in zip(known, before, strict=True):
            setattr(owner, name, value)
