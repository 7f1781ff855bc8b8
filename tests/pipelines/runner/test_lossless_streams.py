"""What is written to a worker while the runner waits for it is not lost."""

import threading
import time

import pytest
from apache_beam.runners.worker import data_plane

from pipelines.runner.lossless_streams import lossless_streams

CHUNKS = [f"{number:05d}".encode() for number in range(300)]
TIME_LIMIT_MS = 1


def delivered() -> bytes:
    """All that arrives where every sending takes a while, as to a worker that is busy."""
    arrived: list[bytes] = []
    lock = threading.Lock()

    def send(data: bytes) -> None:
        time.sleep(0.002)
        with lock:
            arrived.append(data)

    stream = data_plane.ClosableOutputStream.create(arrived.append, send, TIME_LIMIT_MS)
    for chunk in CHUNKS:
        stream.write(chunk)
        time.sleep(0.0005)
    stream.close()
    return b"".join(arrived)


def test_every_chunk_arrives_in_order():
    with lossless_streams():
        assert delivered() == b"".join(CHUNKS)


def test_beam_alone_still_loses_some():
    # Where this fails, Beam has mended it, and `pipelines.runner.lossless_streams` can go.
    assert len(delivered()) < sum(map(len, CHUNKS))


def test_nothing_waits_for_room_in_a_queue():
    with lossless_streams():
        handler = data_plane.BeamFnDataServicer(1000)
        stream = handler.get_conn_by_worker_id("worker").output_stream("bundle", "transform")
        for _ in range(3):
            stream.write(bytes(80 << 20))  # the usual limit is 100 MB
        stream.close()


def test_beam_is_left_as_it_was():
    before = data_plane.ClosableOutputStream.create, data_plane._DEFAULT_SEND_QUEUE_MAX_BYTES
    with pytest.raises(ValueError, match="fault"), lossless_streams():
        raise ValueError("fault")
    after = data_plane.ClosableOutputStream.create, data_plane._DEFAULT_SEND_QUEUE_MAX_BYTES
    assert before == after
