"""The unpickler reads plain values of every protocol, and never anything else."""

import os
import pickle
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from pipelines.datasets.refcoco.safe_pickle import loads
from schemas.errors import InputFileError
from schemas.limits import MAX_PICKLE_DEPTH

PLAIN = {
    "text": ["left vase", "", "it's", 'a "quoted" word', "back\\slash", "two\nlines\t"],
    "wide": ["café", "ключ", "\U0001f415 dog", "\x7f\x80\xff"],
    "numbers": [0, 1, 255, 256, 65_535, 65_536, -1, -40_000, 2**31, 2**70, -(2**70)],
    "fractions": [0.0, 0.5, -468.3, 1e300, float("inf")],
    "others": [True, False, None, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}],
    "keys": {"": "empty", "café": "wide", "it's": "quoted"},
}

# As Python 2.7 writes them, by `pickle` and by `cPickle`.
PYTHON_2 = (
    b"(lp0\n(dp1\nS'sent'\np2\nS'left vase'\np3\nsS'split'\np4\nS'testA'\np5\nsS'ref_id'\np6\n"
    b"I7\nsS'big'\np7\nL12345678901234567890L\nsS'yes'\np8\nI01\nsS'raw'\np9\n"
    b"VCaf\xe9 \\u043a\np10\nsS'box'\np11\n(F468.3\nF.5\ntp12\nsa(dp13\ng2\ng3\nsa.",
    b"(lp1\n(dp2\nS'sent'\np3\nS'left vase'\np4\nsS'split'\np5\nS'testA'\np6\nsS'ref_id'\np7\n"
    b"I7\nsS'big'\np8\nL12345678901234567890L\nsS'yes'\np9\nI01\nsS'raw'\np10\n"
    b"VCaf\xe9 \\u043a\np11\nsS'box'\np12\n(F468.30000000000001\nF0.5\ntp13\nsa(dp14\ng3\ng4\nsa.",
    b"\x80\x02]q\x00(}q\x01(U\x04sentq\x02U\tleft vaseq\x03U\x05splitq\x04U\x05testAq\x05U\x06"
    b"ref_idq\x06K\x07U\x03bigq\x07\x8a\x09\xd2\n\x1f\xeb\x8c\xa9T\xab\x00U\x03yesq\x08\x88U\x03rawq"
    b"\tX\x08\x00\x00\x00Caf\xc3\xa9 \xd0\xbaq\nU\x03boxq\x0bG@}D\xcc\xcc\xcc\xcc\xcdG?\xe0\x00\x00"
    b"\x00\x00\x00\x00\x86q\x0cu}q\rh\x02h\x03se.",
)
REFS = [
    {
        "sent": "left vase",
        "split": "testA",
        "ref_id": 7,
        "big": 12345678901234567890,
        "yes": True,
        "raw": "Café к",
        "box": (468.3, 0.5),
    },
    {"sent": "left vase"},
]


class Call:
    """An object whose pickle calls something."""

    def __init__(self, reduction):
        self.reduction = reduction

    def __reduce__(self):
        return self.reduction


def touch(name):
    return Call((os.system, (f"touch {name}",)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol(protocol):
    assert loads(pickle.dumps(PLAIN, protocol), "refs.p") == PLAIN
    plain = pickle.dumps([PLAIN] * 3, protocol)
    assert loads(plain, "refs.p") == [PLAIN] * 3


@pytest.mark.parametrize("content", PYTHON_2, ids=["pickle", "cPickle", "protocol 2"])
def test_what_python_2_wrote(content):
    assert loads(content, "refs.p") == pickle.loads(content, encoding="latin-1") == REFS


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb"S'it\'s'" + b"\n.", "it's"),
        (rb'''S"it's"''' + b"\n.", "it's"),
        (rb"S'a\\b\tc\nd\x21'" + b"\n.", "a\\b\tc\nd!"),
        (rb"S'caf\xc3\xa9'" + b"\n.", "café"),  # UTF-8
        (rb"S'caf\xe9'" + b"\n.", "café"),  # Latin-1
        (b"U\x04caf\xe9.", "café"),
        (b"T\x05\x00\x00\x00caf\xc3\xa9.", "café"),
        (b"C\x05caf\xc3\xa9.", "café"),
        (rb"V\ud83d\udc15" + b"\n.", "\U0001f415"),  # a narrow build of Python 2
        (rb"V\U0001f415" + b"\n.", "\U0001f415"),
        (rb"V\ud83d" + b"\n.", "\N{REPLACEMENT CHARACTER}"),
        (b"X\x03\x00\x00\x00\xed\xa0\xbd.", "\N{REPLACEMENT CHARACTER}"),
        (rb"S'\q'" + b"\n.", r"\q"),
    ],
)
def test_text_of_either_kind(content, text):
    assert loads(content, "refs.p") == text


MALICIOUS = {
    "GLOBAL": (b"cos\nsystem\n.", "os.system"),
    "GLOBAL and REDUCE": (b"cposix\nsystem\n(S'touch X'\ntR.", "posix.system"),
    "INST": (b"(S'touch X'\nios\nsystem\n.", "os.system"),
    "OBJ": (b"(cos\nsystem\nS'touch X'\no.", "os.system"),
    "OBJ of text": (b"(S'os.system'\nS'touch X'\no.", "OBJ"),
    "REDUCE of text": (b"S'os.system'\n(S'touch X'\ntR.", "REDUCE"),
    "STACK_GLOBAL": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
    "STACK_GLOBAL of numbers": (b"\x80\x04K\x01K\x02\x93.", "STACK_GLOBAL"),
    "NEWOBJ": (b"\x80\x02}(t\x81.", "NEWOBJ"),
    "NEWOBJ_EX": (b"\x80\x04})}\x92.", "NEWOBJ_EX"),
    "BUILD": (b"(lS'x'\nb.", "BUILD"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "PERSID": (b"Pfile:///etc/passwd\n.", "file:///etc/passwd"),
    "BINPERSID": (b"S'file:///etc/passwd'\nQ.", "file:///etc/passwd"),
    "BINPERSID of a list": (b"]q\x00h\x00aQ.", "list"),
    "a set": (b"\x80\x04\x8f.", "EMPTY_SET"),
    "a frozen set": (b"\x80\x04(\x91.", "FROZENSET"),
    "a byte array": (b"\x80\x05\x96" + b"\xff" * 8 + b".", "BYTEARRAY8"),
    "a buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "a buffer to read": (b"\x80\x05\x98.", "READONLY_BUFFER"),
}


@pytest.mark.parametrize(("content", "named"), MALICIOUS.values(), ids=MALICIOUS)
def test_what_is_no_plain_value_is_refused_by_name(content, named):
    with pytest.raises(InputFileError, match=r"refs\.p .*not a pickle of plain values") as refusal:
        loads(content, "refs.p")
    assert named in str(refusal.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["call", "eval", "class", "date"])
def test_nothing_of_a_malicious_pickle_runs(tmp_path, protocol, name):
    witness = tmp_path / "ran"
    values = {
        "call": (touch(witness), "system"),
        "eval": (Call((eval, (f"open({str(witness)!r}, 'w')",))), "eval"),
        "class": (Call, "test_safe_pickle.Call"),
        "date": (date(2020, 1, 1), "date"),
    }
    value, named = values[name]
    content = pickle.dumps([{"ref_id": 1, "split": value}], protocol)
    with pytest.raises(InputFileError) as refusal:
        loads(content, "refs.p")
    assert named in str(refusal.value)
    assert not witness.exists()


@pytest.mark.parametrize("depth", [MAX_PICKLE_DEPTH + 1, 100_000])
@pytest.mark.parametrize(
    ("begin", "end"),
    [(b"]", b"a"), (b"(l", b"a"), (b"", b"\x85"), (b"}U\x01k", b"s"), (b"(", b"l")],
    ids=["lists", "lists of protocol 0", "tuples", "dictionaries", "open containers"],
)
def test_deep_nesting_is_refused(depth, begin, end):
    with pytest.raises(InputFileError, match=f"nests deeper than {MAX_PICKLE_DEPTH} levels"):
        loads(begin * depth + b"]" + end * depth + b".", "refs.p")


def test_nesting_within_bounds_is_read():
    found: Any = loads(b"]" * MAX_PICKLE_DEPTH + b"a" * (MAX_PICKLE_DEPTH - 1) + b".", "refs.p")
    for _ in range(MAX_PICKLE_DEPTH - 1):
        (found,) = found
    assert found == []


def test_a_list_that_holds_itself_is_refused():
    with pytest.raises(InputFileError, match="nests deeper"):
        loads(b"]q\x00h\x00a.", "refs.p")


@pytest.mark.parametrize("content", PYTHON_2, ids=["pickle", "cPickle", "protocol 2"])
def test_a_pickle_cut_short_anywhere_is_refused(content):
    for size in range(len(content)):
        with pytest.raises(InputFileError, match="is not a pickle of plain values"):
            loads(content[:size], "refs.p")


@pytest.mark.parametrize("content", PYTHON_2, ids=["pickle", "cPickle", "protocol 2"])
def test_a_damaged_byte_is_refused_or_read_as_plain(content):
    for place in range(len(content)):
        for value in (0, 0x28, 0x2E, 0x63, 0x80, 0xFF):
            with suppress(InputFileError):
                loads(content[:place] + bytes([value]) + content[place + 1 :], "refs.p")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "cut short"),
        (b"(lp0\n", "cut short"),
        (b"l.", "the instruction LIST lacks values"),
        (b"(.", "before all containers are closed"),
        (b"]].", "before all containers are closed"),
        (b".", "before all containers are closed"),
        (b"g5\n.", "not found at index 5"),
        (b"\x80\x09].", "protocol: 9"),
        (b"(S'a'\nd.", "odd number of items for DICT"),
        (b"K\x01K\x02a.", "'int' object has no attribute 'append'"),
        (b"]U\x01kK\x02s.", "list indices must be integers"),
        (b"Sbowl\n.", "without quotes"),
        (b"Ibowl\n.", "is not a number"),
        (b"a.", "the instruction APPEND lacks values"),
        (b"\xfe.", "no instruction"),
        (b'[{"ref_id": 1}]', "no instruction"),
        (b"\x1f\x8b\x08\x00refs", "no instruction"),
    ],
)
def test_a_damaged_pickle_is_refused_with_its_cause(content, cause):
    with pytest.raises(InputFileError, match=cause):
        loads(content, "/data/refcoco/refs(unc).p")
