"""Which splits one worker opens together: those of a source that share an owner's file."""

from pipelines.divide import sharing
from schemas.source import Sizing, SplitInput


def split_of(name: str, source: str = "refcoco", **files: str) -> SplitInput:
    return SplitInput(
        source=source,
        split=name,
        files=files,
        pictures="/data",
        folder="data",
        licence="none",
        seed=0,
        sizing=Sizing(shard_bytes=1, embed=True, record_per_region=False, per_category=None),
    )


def groups_of(*splits: SplitInput) -> list[list[str]]:
    return [[split.split for split in group.splits] for group in sharing(splits, {})]


def test_splits_with_a_file_in_common_are_together():
    splits = [split_of(name, refs="refs.p", instances="boxes.json") for name in ("train", "val")]
    assert groups_of(*splits, split_of("test", test="flat.json")) == [["train", "val"], ["test"]]


def test_a_split_joins_the_splits_it_shares_files_with():
    splits = split_of("a", one="1.json"), split_of("b", two="2.json")
    assert groups_of(*splits) == [["a"], ["b"]]
    assert groups_of(*splits, split_of("c", one="1.json", two="2.json")) == [["a", "b", "c"]]


def test_sources_and_splits_with_the_same_captions_are_apart():
    splits = [split_of(name, recapd="manifest.json", **{name: name}) for name in ("train", "val")]
    assert groups_of(*splits) == [["train"], ["val"]]
    other = split_of("train", "coco", train="train")
    assert groups_of(splits[0], other) == [["train"], ["train"]]


def test_a_group_has_the_indexes_of_its_files():
    first, second = sharing([split_of("a", a="1"), split_of("b", b="2")], {"1": None, "3": None})
    assert (first.indexes, second.indexes) == ({"1": None}, {})
