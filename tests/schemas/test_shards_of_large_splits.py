"""Tests of the number of shards of splits with many regions."""

import pytest

from schemas.source import SHARD_MULTIPLE, SHARD_REGIONS, Sizing, Volume

_SIZING = Sizing(shard_bytes=500 << 20, embed=False, record_per_region=False, per_category=None)


def _shards(regions: int) -> int:
    volume = Volume(images=regions, regions=regions, categories=0, picture_bytes=0)
    return _SIZING.shards(volume)


def test_many_regions_make_a_multiple_of_shards_that_workers_share_evenly() -> None:
    assert _shards(860_001) == 2 * SHARD_MULTIPLE


@pytest.mark.parametrize("regions", [0, 1, SHARD_REGIONS])
def test_few_regions_stay_in_one_shard(regions: int) -> None:
    assert _shards(regions) == 1
