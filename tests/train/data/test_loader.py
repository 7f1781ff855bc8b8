"""Steps and their micro-batches: the same rows whatever the processes, workers and start."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import processor_for
from schemas.errors import InputFileError
from train.data.build import Build
from train.data.example import Rejected, TrainingExample, TrainingRows
from train.data.loader import Loading, Schedule, load_steps
from train.data.rows import ShardRows


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train"))


@pytest.fixture(scope="module")
def processor(tokenizer):
    return processor_for(tiny_regiongpt(), tokenizer)


def examples_of(rows, processor, **changes):
    return TrainingRows(rows, processor, **{"seed": 0, **changes})


def schedule_of(rows, *, count=60, batch=8, epochs=2):
    return Schedule(
        ids=rows.ids()[:count],
        costs=rows.characters()[:count].astype(float),
        batch=batch,
        epochs=epochs,
        seed=0,
    )


def loaded(rows, processor, steps, **loading):
    examples = examples_of(rows, processor)
    return list(load_steps(steps, examples, processor, Loading(**{"micro_batch": 4, **loading})))


def test_every_row_is_trained_on_once_in_each_epoch(rows, processor):
    made = loaded(rows, processor, schedule_of(rows).steps())
    for epoch in (0, 1):
        ids = [
            name
            for step, micros in made
            if step.epoch == epoch
            for micro in micros
            for name in (*micro.ids, *(row.id for row in micro.rejected))
        ]
        assert sorted(ids) == sorted(rows.ids()[:60])
    assert [step.number for step, _ in made] == list(range(16))


def test_a_run_goes_on_at_any_step(rows, processor):
    schedule = schedule_of(rows)
    whole = loaded(rows, processor, schedule.steps())
    for start in (0, 5, 8, 15, 16):
        rest = loaded(rows, processor, schedule.steps(start))
        assert [step.number for step, _ in rest] == list(range(start, 16))
        for (_, micros), (_, expected) in zip(rest, whole[start:], strict=True):
            for micro, other in zip(micros, expected, strict=True):
                assert micro.ids == other.ids
                assert all(
                    torch.equal(micro.batch[name], other.batch[name]) for name in other.batch
                )


@pytest.mark.parametrize("shares", [None, np.full(59, 1.5)])
def test_the_count_is_that_of_the_steps(rows, shares):
    schedule = replace(schedule_of(rows, count=59), shares=shares)
    assert schedule.count == len(list(schedule.steps())) > 15


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_rows_of_a_step(rows, processor, world):
    schedule = schedule_of(rows, count=31, epochs=1)
    alone = loaded(rows, processor, schedule.steps())
    each = [
        loaded(rows, processor, schedule.steps(), rank=rank, world=world, micro_batch=2)
        for rank in range(world)
    ]
    for number, (_, micros) in enumerate(alone):
        parts = [process[number][1] for process in each]
        assert len({len(part) for part in parts}) == 1  # they compute together
        ids = [name for part in parts for micro in part for name in micro.ids]
        assert sorted(ids) == sorted(name for micro in micros for name in micro.ids)
    counts = [[len(micro.ids) for micro in process[-1][1]] for process in each]
    # Of the seven rows of the last step; two in a micro-batch at most.
    assert counts == {2: [[1, 2], [2, 2]], 3: [[1, 1], [1, 1], [1, 2]]}[world]


def test_a_process_may_have_no_row_of_a_step(rows, processor):
    (_, (micro,)), *_ = loaded(
        rows, processor, schedule_of(rows, count=2, epochs=1).steps(), rank=2, world=3
    )
    assert micro.batch is None


def test_micro_batches_are_packed(rows, processor):
    ((_, micros),) = loaded(rows, processor, schedule_of(rows, count=8, epochs=1).steps())
    for micro in micros:
        shared = int(micro.batch["key_offsets"][1])  # what all rows begin with is there once
        assert len(micro.ids) == 4
        assert micro.batch["input_ids"].shape == (1, micro.tokens - 3 * shared)
        assert len(micro.batch["segment_offsets"]) - 1 == 1 + 4


def test_workers_change_nothing(rows, processor):
    schedule = schedule_of(rows, count=24, epochs=1)
    alone, others = (
        loaded(rows, processor, schedule.steps(), workers=workers) for workers in (0, 2)
    )
    for (_, micros), (_, expected) in zip(others, alone, strict=True):
        assert [micro.ids for micro in micros] == [micro.ids for micro in expected]
        for micro, other in zip(micros, expected, strict=True):
            assert micro.batch.keys() == other.batch.keys()
            assert all(torch.equal(micro.batch[name], other.batch[name]) for name in other.batch)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_row_that_cannot_be_read_is_a_plain_error(rows, processor, workers, monkeypatch):
    broken = examples_of(rows, processor)
    row = rows[0]
    row["image"]["bytes"] = b"no picture"
    broken._rows = [row]
    step = Schedule(ids=["x"], costs=np.array([1.0]), batch=1, epochs=1, seed=0).steps()
    steps = load_steps(step, broken, processor, Loading(micro_batch=1, workers=workers))
    with pytest.raises(Exception, match=f"^{row['id']}") as caught:
        next(steps)
    assert "Traceback" not in str(caught.value)


def test_a_row_that_is_too_long_is_rejected_with_its_reason(rows, tokenizer):
    processor = processor_for(tiny_regiongpt(), tokenizer, max_length=60)
    made = [examples_of(rows, processor)[0, number] for number in range(0, len(rows), 400)]
    assert any(isinstance(each, Rejected) for each in made)
    for each in made:
        if isinstance(each, Rejected):
            assert "expected 60 at most" in each.reason
            assert each.id in each.reason


def test_supervised_tokens_are_counted(rows, processor):
    example = examples_of(rows, processor)[0, 5]
    assert isinstance(example, TrainingExample)
    assert example.supervised == len(processor.collate([example.example])["loss_targets"]) > 0


def test_half_of_the_rows_take_masks_by_hash_and_epoch(rows, processor):
    examples = examples_of(rows, processor)
    chosen = [[examples._region_as(name, epoch) for name in rows.ids()] for epoch in (0, 1)]
    for each in chosen:
        assert 0.45 < each.count("mask") / len(each) < 0.55
    same = sum(first == second for first, second in zip(*chosen, strict=True)) / len(rows)
    assert 0.45 < same < 0.55


def test_box_and_mask_differ_in_the_weights(rows, processor):
    number = next(
        number for number, row in enumerate(rows) if row["regions"] and row["regions"][0]["mask"]
    )
    box, mask = (
        examples_of(rows, processor, regions_as=form)[0, number].example.region_weights
        for form in ("box", "mask")
    )
    assert box.shape == mask.shape
    assert mask.sum() < 0.95 * box.sum()


def test_boxes_of_gpt4roi_come_with_their_pictures(rows, tokenizer):
    processor = processor_for(tiny_gpt4roi(), tokenizer)
    examples = TrainingRows(rows, processor, seed=0, regions_as="box")
    ((_, micros), *_) = load_steps(
        schedule_of(rows).steps(), examples, processor, Loading(micro_batch=8)
    )
    batch = micros[0].batch
    assert batch is not None
    assert batch["region_boxes"].shape[1] == 4
    assert len(batch["region_images"]) == len(batch["region_boxes"])


def test_a_picture_of_a_reference_build_is_read_below_the_root(rows, processor, tmp_path):
    row = rows[0]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "7.jpg").write_bytes(row["image"]["bytes"])
    examples = examples_of(rows, processor, image_root=tmp_path)
    examples._rows = [{**row, "image": {"bytes": None, "path": "a/7.jpg"}}]
    assert np.array_equal(
        examples[0, 0].example.pixels, examples_of(rows, processor)[0, 0].example.pixels
    )
    examples._rows = [{**row, "image": {"bytes": None, "path": "a/8.jpg"}}]
    with pytest.raises(InputFileError, match=r"8\.jpg: No such file"):
        examples[0, 0]
