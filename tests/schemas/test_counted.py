"""Numbers with their nouns."""

import pytest

from schemas.counted import counted


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 shards"), (1, "1 shard"), (2, "2 shards"), (1234567, "1,234,567 shards")],
)
def test_one_thing_is_singular(number, shown):
    assert counted(number, "shard") == shown


def test_a_plural_of_another_form():
    assert counted(1, "category", "categories") == "1 category"
    assert counted(3, "category", "categories") == "3 categories"
