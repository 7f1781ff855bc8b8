"""What sources are told: into how many shards a split goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.source import (
    CAPTION_BYTES,
    RECORD_BYTES,
    REGION_BYTES,
    Sizing,
    SplitInput,
    Volume,
)

MIB = 2**20
VOLUME = Volume(images=100, regions=700, categories=5, picture_bytes=100 * MIB)
EMBED = Sizing(shard_bytes=10 * MIB, embed=True, record_per_region=False, per_category=None)
TEXT = 700 * REGION_BYTES + 100 * RECORD_BYTES  # bytes of VOLUME without its pictures


def split(**changes) -> SplitInput:
    known = SplitInput(
        source="coco",
        split="train",
        files={},
        pictures="/data/coco/train",
        folder="coco/train",
        licence="CC BY 4.0",
        seed=0,
        sizing=EMBED,
    )
    return replace(known, **changes)


@pytest.mark.parametrize(
    ("sizing", "volume", "shards"),
    [
        (EMBED, VOLUME, 11),
        (replace(EMBED, record_per_region=True), VOLUME, 71),
        (replace(EMBED, per_category=2), VOLUME, 2),
        (replace(EMBED, per_category=140), VOLUME, 11),
        (replace(EMBED, per_category=2), replace(VOLUME, images=5), 11),
        (replace(EMBED, embed=False), VOLUME, 1),
        (replace(EMBED, embed=False, shard_bytes=TEXT), VOLUME, 1),
        (replace(EMBED, embed=False, shard_bytes=TEXT - 1), VOLUME, 2),
        (replace(EMBED, embed=False, shard_bytes=1), VOLUME, TEXT),
        (
            replace(EMBED, embed=False, shard_bytes=1, captioned=True),
            VOLUME,
            TEXT + 700 * CAPTION_BYTES,
        ),
        (EMBED, replace(VOLUME, regions=50), 6),
        (EMBED, Volume(images=0, regions=0, categories=0, picture_bytes=0), 1),
        (EMBED, replace(VOLUME, regions=0), 1),
        (replace(EMBED, per_category=2), replace(VOLUME, categories=0), 11),
    ],
    ids=[
        "pictures",
        "a picture for each region",
        "few regions, so few images",
        "a cap that does not bind",
        "all images are needed",
        "references",
        "just one",
        "one byte over",
        "a byte each",
        "a caption for each region",
        "some images have no region",
        "nothing",
        "no regions",
        "no categories, so no cap",
    ],
)
def test_how_many_shards(sizing, volume, shards):
    assert sizing.shards(volume) == shards


@given(
    st.builds(
        Volume,
        images=st.integers(0, 10**6),
        regions=st.integers(0, 10**7),
        categories=st.integers(0, 10**4),
        picture_bytes=st.integers(0, 10**12),
    ),
    st.builds(
        Sizing,
        shard_bytes=st.integers(1, 10**9),
        embed=st.booleans(),
        record_per_region=st.booleans(),
        per_category=st.none() | st.integers(1, 10**4),
    ),
)
def test_caps_and_references_never_need_more_shards(volume, sizing):
    shards = sizing.shards(volume)
    assert shards >= 1
    assert shards <= replace(sizing, per_category=None).shards(volume)
    assert replace(sizing, embed=False).shards(volume) <= shards


def test_the_file_of_a_split_goes_under_its_name():
    assert split(files={"images": "/i", "train": "/t.json", "val": "/v.json"}).file == "/t.json"
