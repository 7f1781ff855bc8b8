"""Groups reach workers in pieces, and none is lost, doubled or torn."""

from collections.abc import Iterable, Iterator

import pytest
from apache_beam.coders import BytesCoder, IterableCoder, TupleCoder
from apache_beam.coders.coders import GlobalWindowCoder, WindowedValueCoder

# Compiled, and so without types.
from apache_beam.coders.stream import InputStream, OutputStream  # type: ignore[import-not-found]
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.transforms.core import Windowing
from apache_beam.transforms.window import GlobalWindows

from pipelines.runner.group_pieces import groups_in_pieces

Groups = dict[bytes, list[bytes]]

_BYTES, _WINDOW = BytesCoder(), GlobalWindowCoder()
_PAIRS = WindowedValueCoder(TupleCoder([_BYTES, _BYTES]), _WINDOW)
_GROUPS = WindowedValueCoder(TupleCoder([_BYTES, IterableCoder(_BYTES)]), _WINDOW)


def groups(number: int) -> Groups:
    """Groups of three values."""
    return {
        b"key %d" % key: [b"value %d of %d" % (value, key) for value in range(3)]
        for key in range(number)
    }


def buffer_of(content: Groups) -> GroupingBuffer:
    """A buffer that has taken in the values of groups, as they come from workers."""
    buffer = GroupingBuffer(_PAIRS, _GROUPS, Windowing(GlobalWindows()))
    for key, values in content.items():
        for value in values:
            stream = OutputStream()
            pair = GlobalWindows.windowed_value((key, value))
            _PAIRS.get_impl().encode_to_stream(pair, stream, True)
            buffer.append(stream.get())
    return buffer


def groups_in(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the groups in pieces, each of which holds whole groups."""
    for piece in pieces:
        stream = InputStream(piece)
        while stream.size() > 0:
            key, values = _GROUPS.get_impl().decode_from_stream(stream, True).value
            yield key, list(values)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_group_arrives_once_and_whole(workers: int):
    content = groups(200)
    with groups_in_pieces():
        by_worker = buffer_of(content).partition(workers)
    assert len(by_worker) == workers
    arrived = [group for pieces in by_worker for group in groups_in(pieces)]
    assert len(arrived) == len(content)
    assert dict(arrived) == content


def test_a_worker_gets_the_groups_that_beam_means_for_it_in_many_pieces():
    content = groups(200)
    usual = buffer_of(content).partition(2)
    with groups_in_pieces():
        by_worker = buffer_of(content).partition(2)
    for whole, pieces in zip(usual, by_worker, strict=True):
        assert len(whole) == 1
        assert len(pieces) > 10
        assert dict(groups_in(pieces)) == dict(groups_in(whole))


def test_few_groups_make_no_empty_piece_which_would_be_the_end():
    with groups_in_pieces():
        assert [len(pieces) for pieces in buffer_of(groups(3)).partition(2)] == [2, 1]
        assert buffer_of({}).partition(2) == [[], []]


def test_a_buffer_that_is_asked_again_answers_the_same():
    with groups_in_pieces():
        buffer = buffer_of(groups(50))
        assert buffer.partition(2) == buffer.partition(2)


def test_beam_is_left_as_it_was():
    before = GroupingBuffer.partition
    with pytest.raises(ValueError, match="fault"), groups_in_pieces():  # noqa: PT012 - it is two
        assert GroupingBuffer.partition is not before
        raise ValueError("fault")
    assert GroupingBuffer.partition is before
