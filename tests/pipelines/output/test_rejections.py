"""Rejections reach the disk sorted, however they were cut into runs."""

import random

import pytest

from pipelines.output import rejections as rejected
from pipelines.output.rejections import SortRejections, sorted_run, write_runs
from pipelines.storage.spool import Spool
from schemas.rejection import Kind, Reason, Rejection


def rejection(number: int, source: str = "coco") -> Rejection:
    return Rejection(
        source=source,
        split="train" if number % 3 else "val",
        stage=("read", "screen", "compose")[number % 5 % 3],
        kind=Kind.ANNOTATION,
        id=str(number // 2),
        reason=Reason.DUPLICATE if number % 2 else Reason.CROWD,
        detail=f"größer \n{number % 7}",
    )


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("runs", [1, 2, 7, 40])
def test_runs_are_merged_in_order(runs, on_disk, tmp_path, monkeypatch):
    spool = Spool(str(tmp_path) if on_disk else None)
    monkeypatch.setattr(rejected, "BLOCK_LINES", 3)
    items = [rejection(number) for number in range(200)] * 2
    random.Random(runs).shuffle(items)
    parts = [sorted_run(items[start::runs], spool) for start in range(runs)]
    spool.close()
    assert {isinstance(block, bytes) for run in parts for _, block in run} == {not on_disk}
    assert write_runs(("coco", parts), str(tmp_path)) == ("coco", 400)
    expected = sorted((item.sort_key(), item.line()) for item in items)
    lines = (tmp_path / "_rejected" / "coco.jsonl").read_bytes().splitlines()
    assert lines == [line for _, line in expected]


def test_nothing_is_a_file_too(tmp_path):
    assert write_runs(("coco", [sorted_run([], Spool(None))]), str(tmp_path)) == ("coco", 0)
    assert (tmp_path / "_rejected" / "coco.jsonl").read_bytes() == b""


def test_a_run_is_cut_where_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(rejected, "RUN_ITEMS", 4)
    sort = SortRejections()
    sort.start_bundle()
    config_runs = [run for number in range(10) for run in sort.process(rejection(number))]
    config_runs += list(sort.process(rejection(3, "lvis")))
    assert [config for config, _ in config_runs] == ["coco", "coco"]
    config_runs += [rest.value for rest in sort.finish_bundle()]
    assert sorted(config for config, _ in config_runs) == ["coco", "coco", "coco", "lvis"]
    runs = [run for config, run in config_runs if config == "coco"]
    assert write_runs(("coco", runs), str(tmp_path)) == ("coco", 10)
