"""Rows of several builds as one, and some of them by hash."""

import numpy as np
import pytest

from train.data.build import Build
from train.data.mix import JoinedRows, SomeRows
from train.data.rows import ShardRows


@pytest.fixture(scope="module")
def parts(proof_shards):
    build = Build.open(proof_shards)
    return [ShardRows(build, build.shards("train", [name])) for name in ("v3det", "llava")]


def test_joined_rows_are_those_of_the_parts_in_order(parts):
    rows = JoinedRows(parts)
    ids = [row["id"] for part in parts for row in part]
    assert len(rows) == len(ids) == 707
    assert rows.ids() == ids
    assert [rows[number]["id"] for number in (0, 299, 300, 706)] == [
        ids[0], ids[299], ids[300], ids[706],
    ]  # fmt: skip
    assert rows.configs() == ["v3det"] * 300 + ["llava"] * 407
    assert rows.characters().tolist() == [
        sum(len(message["content"]) for message in row["messages"])
        for part in parts
        for row in part
    ]


def test_some_rows_do_not_depend_on_the_order_and_grow_with_the_limit(parts):
    few, more = (SomeRows(JoinedRows(parts), limit, seed=0) for limit in (50, 80))
    assert set(few.ids()) < set(more.ids())
    turned = SomeRows(JoinedRows(parts[::-1]), 50, seed=0)
    assert set(turned.ids()) == set(few.ids())
    assert set(SomeRows(JoinedRows(parts), 50, seed=1).ids()) != set(few.ids())
    assert [few[number]["id"] for number in range(50)] == few.ids()
    assert len(few.configs()) == len(few.characters()) == 50
    whole = dict(zip(JoinedRows(parts).ids(), JoinedRows(parts).characters(), strict=True))
    assert np.array_equal(few.characters(), [whole[name] for name in few.ids()])
