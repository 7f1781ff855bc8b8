"""NumPy's integers in pickles: read as numbers, and no other object of NumPy or of anyone else."""

import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.refcoco.pickle_check import checked_pickle
from pipelines.datasets.refcoco.safe_pickle import loads
from schemas.errors import InputFileError

TYPES = [
    np.dtype(f"{order}{sign}{size}") for order in "<>" for sign in "iu" for size in (1, 2, 4, 8)
]


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_the_least_and_the_greatest_of_each_type(kind, protocol):
    limits = np.iinfo(kind)
    values = [kind.type(limits.min), kind.type(limits.max), kind.type(7), kind.type(7)]
    (read := loads(pickle.dumps(values, protocol), "refs.p"))
    assert read == [int(value) for value in values]
    assert isinstance(read, list)
    assert {type(value) for value in read} == {int}


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.sampled_from([3, 4, 5]))
def test_records_as_pandas_writes_them(numbers, protocol):
    records = [{"ref_id": np.int64(n), "sent_ids": [np.int64(n), 1], "sent": "a"} for n in numbers]
    expected = [{"ref_id": n, "sent_ids": [n, 1], "sent": "a"} for n in numbers]
    assert loads(pickle.dumps(records, protocol), "refs.p") == expected


def test_what_is_loaded_names_no_object_and_calls_none():
    content = checked_pickle(pickle.dumps([np.int64(7), {"a": np.int32(8)}], 5))
    names = {opcode.name for opcode, *_ in pickletools.genops(content)}
    assert names.isdisjoint({"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"})


class Call:
    """A call of a function, with arguments, as a pickle writes it."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


SCALAR = np.int64(1).__reduce__()[0]
REFUSED = {
    "a float": np.float64(1.5),
    "a truth value": np.bool_(True),
    "an array": np.array([1, 2]),
    "a time": np.datetime64("2020-01-01"),
    "an object": Call(SCALAR, np.dtype("O"), b"cos\nsystem\n(S'true'\ntR."),
    "too few bytes": Call(SCALAR, np.dtype("i8"), b"1234567"),
    "no bytes": Call(SCALAR, np.dtype("i8")),
    "a type of another type": Call(np.dtype, np.dtype("i8"), False, True),
    "a type of objects": Call(np.dtype, "O8", False, True),
    "another function": Call(np.frombuffer, b"12345678"),
    "a builtin": Call(eval, "1"),
}


@pytest.mark.parametrize("protocol", [3, 5])
@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(value, protocol):
    with pytest.raises(InputFileError, match="is not a pickle of plain values"):
        loads(pickle.dumps([{"ref_id": value}], protocol), "refs.p")


@pytest.mark.parametrize("value", [np.dtype("i8"), [np.dtype("i8"), np.int64(3)], SCALAR])
def test_a_part_of_a_number_alone_is_refused(value):
    with pytest.raises(InputFileError, match="an object of NumPy that is no number"):
        loads(pickle.dumps([1, value], 5), "refs.p")


def test_attributes_of_what_is_known_cannot_be_set():
    """A state for `scalar` itself is refused, as is one for a list."""
    known = b"\x80\x04cnumpy.core.multiarray\nscalar\n}\x8c\x01aK\x01sb."
    for content in (known, b"\x80\x04]}\x8c\x01aK\x01sb."):
        with pytest.raises(InputFileError, match="it holds the instruction BUILD"):
            loads(content, "refs.p")
