"""The check of a pickle lets plain values through, and nothing that costs more than its length."""

import pickle
import pickletools
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.refcoco import safe_pickle
from pipelines.datasets.refcoco.pickle_check import (
    UnfitPickle,
    checked_pickle,
)
from pipelines.datasets.refcoco.safe_pickle import loads
from pipelines.sample_world.python2 import pickled
from schemas.errors import InputFileError
from schemas.limits import MAX_PICKLE_DIGITS, MAX_PICKLE_KEY

NEEDED = {  # by lists, tuples, dictionaries, numbers and text
    *("MARK", "STOP", "PROTO", "FRAME", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
    *("GET", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1"),
    *(
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
    ),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "EMPTY_LIST", "APPEND", "APPENDS", "LIST"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
}
ASKING = {"GLOBAL", "INST", "STACK_GLOBAL", "PERSID", "BINPERSID"}  # refused by loading


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    monkeypatch.setattr(safe_pickle, "_load", lambda content: pytest.fail("was loaded"))


@pytest.mark.parametrize(
    "opcode",
    [opcode for opcode in pickletools.opcodes if opcode.name not in NEEDED | ASKING],
    ids=lambda opcode: opcode.name,
)
@pytest.mark.usefixtures("nothing_is_loaded")
def test_every_other_opcode_is_refused_before_loading(opcode):
    content = b"\x80\x05]](" + opcode.code.encode("latin-1") + bytes(16)
    with pytest.raises(InputFileError, match=f"it holds the instruction {opcode.name}.* at byte 5"):
        loads(content, "refs.p")


def test_what_is_no_opcode_is_refused():
    for code in {*range(256)} - {ord(opcode.code) for opcode in pickletools.opcodes}:
        with pytest.raises(UnfitPickle, match="is no instruction, at byte 1"):
            checked_pickle(b"]" + bytes([code]) + b".")


# Dictionaries that take long to build, or would with more of the same.
KEYS = {
    "a number": b"}K\x01K\x02s.",
    "a number as Python 2 writes it": b"(dp0\nI1\nI2\ns.",
    "a number among items": b"(lp0\n(dp1\nS'a'\nI1\nsI1\nI2\nsS'b'\nI1\nsa.",
    "numbers of equal hashes": b"("
    + b"".join(b"L%dL\nN" % (k * (2**61 - 1)) for k in (1, 2))
    + b"d.",
    "a fraction": b"(dF2.5\nNs.",
    "none": b"}NNs.",
    "truth": b"\x80\x02}\x88Ns.",
    "a tuple": b"})K\x01s.",
    "tuples in tuples": b"}" + b")" + b"\x85" * 100_000 + b"K\x01s.",
    "tuples twice in tuples": b"})q\x00" + b"h\x00\x86q\x00" * 50 + b"K\x01s.",
    "a tuple among many keys": b"}(U\x01aK\x01)K\x02u.",
    "a tuple in a dictionary of protocol 0": b"(S'a'\nI1\n(tI2\nd.",
    "a fetched tuple": b"(lp0\n(I1\nI2\ntp1\na(dp2\ng1\nI3\nsa.",
    "a fetched tuple, noted without a number": b"\x80\x04](K\x01K\x02\x86\x94}h\x00K\x03se.",
    "a fetched number": b"(lp0\nI1\np1\na(dp2\ng1\nI3\nsa.",
    "a fetched long text": b"(lp0\nS'" + b"a" * (MAX_PICKLE_KEY + 1) + b"'\np1\na(dp2\ng1\nI3\nsa.",
    "a list": b"}]K\x01s.",
    "a dictionary": b"}}K\x01s.",
    "a long text": b"}X\xe9\x03\x00\x00" + b"a" * (MAX_PICKLE_KEY + 1) + b"K\x01s.",
    "a long line": b"(dS'" + b"a" * (MAX_PICKLE_KEY + 1) + b"'\nI1\ns.",
}


@pytest.mark.parametrize("content", KEYS.values(), ids=KEYS)
@pytest.mark.usefixtures("nothing_is_loaded")
def test_only_short_texts_are_keys(content):
    with pytest.raises(
        InputFileError, match=f"a key is not a text of at most {MAX_PICKLE_KEY} bytes"
    ):
        loads(content, "refs.p")


def test_the_longest_key_is_read():
    key = "a" * MAX_PICKLE_KEY
    assert loads(pickle.dumps({key: [key]}, 2), "refs.p") == {key: [key]}


@pytest.mark.parametrize("size", [0, 1, 2**63 - 1, 2**64 - 1])
def test_sizes_of_frames_are_not_believed(size):
    assert loads(b"\x80\x04\x95" + size.to_bytes(8, "little") + b"].", "refs.p") == []


def test_a_number_of_many_bytes_is_read():
    assert loads(pickle.dumps([10**5_000], 2), "refs.p") == [10**5_000]


def test_a_fetched_list_is_no_key():
    with pytest.raises(InputFileError, match="unhashable type: 'list'"):
        loads(b"(lp0\n(lp1\na(dp2\ng1\nI3\nsa.", "refs.p")


@pytest.mark.parametrize(
    "line",
    ["I010", "I0x10", "I1_0", "I 1", "I1\0", "I", "L010L", "L1\0L", "F1\0.5", "F1_0", "Fbowl"],
)
@pytest.mark.usefixtures("nothing_is_loaded")
def test_a_damaged_number_is_refused(line):
    for content in (f"{line}\n.", f"(lp0\n{line}\na.", f"(dp0\nS'k'\n{line}\ns."):
        with pytest.raises(InputFileError, match="is not a number"):
            loads(content.encode(), "refs.p")


EXCESSES = {
    "a note far away": (b"]r\xff\xff\xff\x7f.", "2147483647, which is too large"),
    "a note further away": (b"]p99999999999999999\n.", "99999999999999999, which is too large"),
    "a note before the first": (b"]p-1\n.", "-1, which is too large"),
    "a note of many digits": (b"]p" + b"9" * MAX_PICKLE_DIGITS + b"\n.", "longer than 4300 digits"),
    "long text": (b"X\xff\xff\xff\xffabc.", "cut short"),
    "very long text": (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "cut short"),
    "longer than there are numbers": (b"\x8e" + b"\xff" * 8 + b"abc.", "cut short"),
    "text of a negative size": (b"T\xff\xff\xff\xffabc.", "cut short"),
    "a long number": (b"\x8b\xff\xff\xff\x7fabc.", "cut short"),
    "a number of many digits": (b"I" + b"9" * 1_000_000 + b"\n.", "longer than 4300 digits"),
    "a long fraction": (b"F0." + b"9" * 1_000_000 + b"\n.", "longer than 4300 digits"),
    "a long frame": (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "before all containers"),
    "doubled again and again": (b"]" + b"2\x86" * 30 + b".", "DUP"),
    "notes that are not counted": (b"(lp0\n\x94.", "MEMOIZE without naming a protocol"),
}


@pytest.mark.parametrize(("content", "cause"), EXCESSES.values(), ids=EXCESSES)
@pytest.mark.usefixtures("nothing_is_loaded")
def test_excesses_are_refused_before_loading(content, cause):
    with pytest.raises(InputFileError, match=cause):
        loads(content, "refs.p")


BOMBS = {name: content for name, (content, _) in EXCESSES.items()} | {
    "the same list many times": b"]q\x00" + b"](" + b"h\x00" * 100_000 + b"e" + b"\x86.",
    "twice the same, again and again": b"]q\x00" + b"h\x00\x86q\x00" * 30 + b".",
    "a list that holds itself many times": b"]q\x00" + b"h\x00a" * 10_000 + b".",
    "the furthest note": b"]r\x0f\x27\x00\x00(" + b"N" * 10_000 + b"e.",
    "many marks": b"(" * 10_000 + b".",
    "a list asked for": b"]q\x00" + b"h\x00\x86q\x00" * 30 + b"Q.",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_memory_stays_in_proportion_to_the_file(content):
    tracemalloc.start()
    with suppress(InputFileError):
        loads(content, "refs.p")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_items_that_end_badly_are_gone_through_once():
    nested = b"".join(b"(lp1\n" + b"S'left'\np2\na" * 500 for _ in range(400))
    with pytest.raises(InputFileError, match="cut short"):
        loads(nested, "refs.p")


def test_what_python_2_wrote_is_loaded_as_it_is():
    refs = [{"ref_id": k, "sentences": [{"tokens": ["left", "it's"], "sent": "k"}]} for k in (7, 8)]
    content = pickled(refs)
    assert checked_pickle(content) is content
    assert loads(content, "refs.p") == refs


TEXTS = st.text(max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda values: (
        st.lists(values, max_size=4)
        | st.lists(values, max_size=4).map(tuple)
        | st.dictionaries(TEXTS, values, max_size=4)
    ),
    max_leaves=20,
)


def is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert loads(pickle.dumps(value, protocol), "refs.p") == value
    shared = pickle.dumps([value, {"again": value}, value], protocol)
    assert loads(shared, "refs.p") == [value, {"again": value}, value]


LISTS = st.recursive(
    st.integers() | TEXTS,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(TEXTS, values, max_size=4),
    max_leaves=30,
)


@given(LISTS)
def test_what_python_2_wrote_comes_back(value):
    assert loads(pickled([value, value]), "refs.p") == [value, value]


CALLS: list[object] = []
FRAGMENTS = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes] + [
    b"c" + __name__.encode() + b"\ncall\n",
    b"(S'x'\ni" + __name__.encode() + b"\ncall\n",
    *(b"S'a'\np0\n", b"g0\n", b"I7\na", b"S'k'\nI7\ns", b"(lp1\n", b"(dp2\n", b"V\\ud83d\n"),
    *(b"U\x01a", b"q\x00", b"h\x00", b"K\x07", b"}", b"]", b"(", b"\x80\x04", b"\x85R", b"\x94"),
]


def call(*arguments):
    CALLS.append(arguments)


def refused_or_plain(content):
    with suppress(InputFileError):
        assert is_plain(loads(content, "refs.p"))
    assert not CALLS


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3)).map(b"".join))
def test_any_opcodes_are_refused_or_plain(content):
    refused_or_plain(content + b".")


@given(
    value=PLAIN,
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    start=st.integers(0, 400),
    length=st.integers(0, 12),
    inserted=st.sampled_from(FRAGMENTS) | st.binary(max_size=3),
)
def test_a_changed_pickle_is_refused_or_plain(value, protocol, start, length, inserted):
    content = pickle.dumps([value], protocol)
    start %= len(content)
    refused_or_plain(content[:start] + inserted + content[start + length :])
