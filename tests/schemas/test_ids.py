"""Identity and chance: the same parts give the same number, on every machine and for ever."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import RANK_BITS, Hasher, bucket, pick, rank, sample_id

PARTS = st.lists(st.one_of(st.text(), st.integers()), max_size=4)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), 7310244485927526048),
        (("a",), 5125531896462422376),
        (("seed", 7), 7169367353799310109),
        (("ab", "c"), 4057313990731803021),
        (("a", "bc"), 5938321662676455894),
        (("Zürich", "\ud800"), 70194624874115909),
    ],
)
def test_a_rank_never_changes(parts, expected):
    assert rank(*parts) == expected


@given(PARTS)
def test_a_rank_fits_a_signed_64_bit_integer(parts):
    assert 0 <= rank(*parts) < 2**RANK_BITS == 2**63


def test_the_ranks_use_all_bits():
    ranks = [rank(number) for number in range(200)]
    for bit in range(RANK_BITS):
        assert 60 < sum(number >> bit & 1 for number in ranks) < 140


@given(PARTS, PARTS)
def test_where_parts_are_given_decides_nothing(first, then):
    chance = Hasher(*first)
    chance.rank("something else")
    assert chance.rank(*then) == rank(*first, *then)
    more = Hasher().with_parts(*first)
    more.with_parts("something else")
    assert more.ranks(*then) == chance.ranks(*then)


@given(PARTS, PARTS)
def test_parts_are_told_apart(some, others):
    same = [str(part) for part in some] == [str(part) for part in others]
    assert (rank(*some) == rank(*others)) == same


@pytest.mark.parametrize(
    ("some", "others"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a", ""), ("", "a")),
        (("1:a",), ("a",)),
        (("a1:b",), ("a", "b")),
        ((1, 11), (11, 1)),
    ],
)
def test_parts_that_look_alike_when_joined(some, others):
    assert rank(*some) != rank(*others)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 60])
def test_buckets_are_all_filled_and_about_even(count):
    filled = Counter(bucket(count, "part", number) for number in range(200 * count))
    assert sorted(filled) == list(range(count))
    assert min(filled.values()) > 140
    assert max(filled.values()) < 260


@given(st.integers(1, 2**32), PARTS)
def test_a_bucket_is_in_range(count, parts):
    assert 0 <= bucket(count, *parts) < count


def test_picks_are_about_even_and_stay_the_same():
    chance = Hasher("seed")
    picked = [pick("abc", chance.rank(number)) for number in range(600)]
    assert {option: picked.count(option) > 150 for option in "abc"} == dict.fromkeys("abc", True)
    assert picked == [pick("abc", Hasher("seed").rank(number)) for number in range(600)]
    assert picked != [pick("abc", Hasher("other").rank(number)) for number in range(600)]


def test_the_id_of_a_record():
    assert sample_id("coco", "train", "a/7", "image_caption", 2) == "coco/train/a/7/image_caption/2"
