"""Groups that reach a worker process in pieces, of which it works on the first while more arrive.

Beam's local runner encodes the groups of a `GroupByKey` into one message for each worker
(`GroupingBuffer` in `apache_beam.runners.portability.fn_api_runner.execution`, seen in 2.77). At
COCO's size that message has about a hundred megabytes: the worker waits for its last byte, and
holds all of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer

_METHOD = "partition"  # makes a list of encoded groups for each worker
_PIECES = 32  # for each worker


@contextmanager
def groups_in_pieces() -> Iterator[None]:
    """Make a runner that is started in the block send groups in pieces."""
    usual = GroupingBuffer.partition

    def partition(buffer: GroupingBuffer, workers: int) -> list[list[bytes]]:
        pieces = usual(buffer, workers * _PIECES)  # a group is in the piece of its number
        return [
            # To a worker, an empty piece would be the end.
            [piece for piece in chain.from_iterable(pieces[first::workers]) if piece]
            for first in range(workers)
        ]

    setattr(GroupingBuffer, _METHOD, partition)
    try:
        yield
    finally:
        setattr(GroupingBuffer, _METHOD, usual)
