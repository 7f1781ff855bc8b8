"""The loss against sums by hand, packed rows against separate ones, and gradients."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model import loss
from model.attention import ATTENTION_NAME


def loss_by_hand(logits: Tensor, labels: Tensor) -> tuple[float, int]:
    """The sum of -log p over the labels, each judged by the logits before it; and their number."""
    total, count = 0.0, 0
    for row, wanted in zip(logits.tolist(), labels.tolist(), strict=True):
        for scores, label in zip(row[:-1], wanted[1:], strict=True):
            if label != -100:
                total += math.log(sum(map(math.exp, scores))) - scores[label]
                count += 1
    return total, count


@pytest.fixture
def batch(model, rows, make_batch) -> dict[str, Tensor]:
    """Ragged rows, padded on the right; their last three words are answers."""
    batch = make_batch(model, rows, "right")
    ids = batch["input_ids"]
    counted = batch["attention_mask"].flip(1).cumsum(1).flip(1)  # the last word has 1, ...
    is_answer = (batch["attention_mask"] == 1) & (counted <= 3) & (ids >= 0)
    batch["labels"] = torch.where(is_answer, ids, -100)
    del batch["attention_mask"]  # no word sees the padding after it
    return batch


def positions_of(labels: Tensor) -> dict[str, Tensor]:
    """The flat positions before the labels, and the labels."""
    pairs = [
        (row * labels.shape[1] + column - 1, label)
        for row, line in enumerate(labels.tolist())
        for column, label in enumerate(line)
        if label != -100
    ]
    positions, targets = torch.tensor(pairs).T
    return {"loss_positions": positions, "loss_targets": targets}


def test_the_loss_is_the_mean_over_answers_by_hand(model, batch) -> None:
    output = model(**batch)
    total, count = loss_by_hand(output.logits, batch["labels"])
    assert count == 10  # of 12 last words two stand for a region
    assert output.loss.item() == pytest.approx(total / count, rel=1e-12)


def test_placeholders_among_the_labels_count_for_nothing(model, batch) -> None:
    # Labels that are a copy of the ids are usual with transformers.
    copied = {**batch, "labels": batch["input_ids"].clone()}
    assert (copied["labels"] < -100).any()
    masked = {**batch, "labels": copied["labels"].clamp(min=-100)}
    assert torch.equal(model(**copied).loss, model(**masked).loss)


@pytest.mark.parametrize("items", [40, torch.tensor(40)])
def test_the_number_of_a_larger_batch_divides_the_sum(model, batch, items) -> None:
    output = model(**batch, num_items_in_batch=items)
    total, _ = loss_by_hand(output.logits, batch["labels"])
    assert output.loss.item() == pytest.approx(total / 40, rel=1e-12)


def test_the_head_sees_supervised_positions_only_and_the_loss_is_the_same(model, batch) -> None:
    full = model(**batch)
    labels = batch.pop("labels")
    part = model(**batch, **positions_of(labels))
    before = (labels != -100).roll(-1, 1)
    torch.testing.assert_close(part.logits, full.logits[before])
    torch.testing.assert_close(part.loss, full.loss)
    part = model(**batch, **positions_of(labels), num_items_in_batch=20)
    torch.testing.assert_close(part.loss, full.loss / 2)


def test_targets_may_be_filled_up_to_a_fixed_number(model, batch) -> None:
    supervised = positions_of(batch.pop("labels"))
    expected = model(**batch, **supervised).loss
    positions = torch.cat([supervised["loss_positions"], torch.tensor([0, 0])])
    targets = torch.cat([supervised["loss_targets"], torch.tensor([-100, -100])])
    loss = model(**batch, loss_positions=positions, loss_targets=targets).loss
    torch.testing.assert_close(loss, expected)


def test_a_batch_without_answers_has_no_loss_and_a_zero_gradient(fresh, rows, make_batch) -> None:
    model = fresh("regiongpt")
    batch = make_batch(model, rows)
    loss = model(**batch, labels=torch.full_like(batch["input_ids"], -100)).loss
    assert loss.item() == 0
    loss.backward()
    assert model.language_model.lm_head.weight.grad.abs().max() == 0


def test_positions_without_as_many_targets_are_an_error(model, batch) -> None:
    supervised = positions_of(batch.pop("labels"))
    with pytest.raises(
        ValueError, match=r"loss_positions of shape \[10\] and loss_targets of None"
    ):
        model(**batch, loss_positions=supervised["loss_positions"])
    supervised["loss_targets"] = supervised["loss_targets"][1:]
    with pytest.raises(ValueError, match=r"shape \[10\] and loss_targets of \[9\]"):
        model(**batch, **supervised)


def test_the_loss_of_a_bf16_model_is_summed_in_float32(fresh, rows, make_batch) -> None:
    model = fresh("gpt4roi").to(torch.bfloat16)
    batch = make_batch(model, rows)
    output = model(**batch, labels=batch["input_ids"].clamp(min=0))
    assert output.logits.dtype == torch.bfloat16
    assert output.loss.dtype == torch.float32
    total, count = loss_by_hand(output.logits.double(), batch["input_ids"].clamp(min=0))
    assert output.loss.item() == pytest.approx(total / count, rel=1e-5)


def test_packed_rows_have_the_logits_and_loss_of_separate_ones(fresh, rows, make_batch) -> None:
    model = fresh("regiongpt")
    alone = [make_batch(model, [row]) for row in rows]
    expected = [model(**batch).logits[0] for batch in alone]
    lengths = [batch["input_ids"].shape[1] for batch in alone]
    labels = torch.cat([batch["input_ids"].clamp(min=0) for batch in alone], 1)
    labels[0, [sum(lengths[:number]) for number in range(len(lengths))]] = -100

    packed = packed_row(model, rows, make_batch)
    packed["position_ids"] = torch.cat([torch.arange(length) for length in lengths])[None]
    numbers = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    packed["segment_ids"] = numbers[None]
    model.set_attn_implementation(ATTENTION_NAME)
    output = model(**packed, labels=labels)

    torch.testing.assert_close(output.logits[0], torch.cat(expected))
    total, count = loss_by_hand(output.logits, labels)
    assert output.loss.item() == pytest.approx(total / count, rel=1e-12)


def packed_row(model, rows, make_batch) -> dict[str, Tensor]:
    """The batch of all rows as one, by joining their texts."""
    row = type(rows[0])(
        text=[
            f"region{int(word[6:]) + 2 * (number == 2)}" if str(word).startswith("region") else word
            for number, line in enumerate(rows)
            for word in line.text
        ],
        pictures=[picture for line in rows for picture in line.pictures],
        boxes=[box for line in rows for box in line.boxes],
    )
    batch = make_batch(model, [row])
    # The third region is of the second picture.
    weights = batch["region_weights"]
    weights[1, 0], weights[0, 2] = weights[0, 2].clone(), 0
    batch["region_indices"] = torch.where(
        batch["region_indices"] == 2, weights.shape[1], batch["region_indices"]
    )
    return batch


def test_segments_need_the_attention_that_knows_them(model, batch) -> None:
    segments = torch.zeros_like(batch["input_ids"])
    with pytest.raises(ValueError, match=rf"set_attn_implementation\('{ATTENTION_NAME}'\)"):
        model(**batch, segment_ids=segments)


def test_a_padding_mask_under_the_attention_without_syncs_is_an_error(
    fresh, rows, make_batch
) -> None:
    model = fresh("gpt4roi")
    model.set_attn_implementation(ATTENTION_NAME)
    batch = make_batch(model, rows, "left")
    with pytest.raises(
        ValueError, match=r"no padding mask: call .*set_attn_implementation\('sdpa'"
    ):
        model(**batch)
    with pytest.raises(ValueError, match="no padding mask"):
        model.generate(**batch, max_new_tokens=2)


@pytest.mark.parametrize("kind", ["boundaries", "siglip"])
def test_checkpointing_gives_the_same_gradients(fresh, rows, make_batch, kind) -> None:
    model = fresh(kind).train()
    batch = make_batch(model, rows)
    batch["labels"] = batch["input_ids"].clamp(min=0)
    expected = gradients(model, batch)
    enable = "activation_checkpointing_enable"  # gradient_checkpointing_enable before 5.24
    getattr(model, enable, model.gradient_checkpointing_enable)()
    assert model.language_model.model.layers[0].gradient_checkpointing
    again = gradients(model, batch)
    assert again.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(again[name], gradient, msg=name)


def gradients(model, batch) -> dict[str, Tensor]:
    model.zero_grad()
    model(**batch).loss.backward()
    return {
        name: value.grad.clone()
        for name, value in model.named_parameters()
        if value.grad is not None
    }


def test_all_that_is_computed_has_a_gradient(fresh, rows, make_batch) -> None:
    for kind in ("boundaries", "regiongpt"):
        model = fresh(kind)
        batch = make_batch(model, rows)
        batch["labels"] = batch["input_ids"].clamp(min=0)
        without = {name for name, _ in model.named_parameters()} - gradients(model, batch).keys()
        assert all(name.startswith("vision_tower.model.") for name in without), without


def test_a_tuple_is_returned_where_asked_for(model, batch) -> None:
    loss, logits = model(**batch, return_dict=False)[:2]
    assert loss.shape == ()
    assert logits.shape[:2] == batch["input_ids"].shape


def head_and_states(dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, Tensor, Tensor]:
    """A head of 100 words, 50 states of width 8, and their next words, of which some are none."""
    targets = torch.randint(100, (50,))
    targets[::7] = -100
    return nn.Linear(8, 100).to(dtype), torch.randn(50, 8, dtype=dtype), targets


@pytest.mark.parametrize("items", [None, 40, torch.tensor(40)])
def test_a_loss_in_parts_is_that_of_all_logits(monkeypatch, items) -> None:
    head, states, targets = head_and_states()
    results = []
    for at_once in (50, 16):
        monkeypatch.setattr(loss, "_AT_ONCE", at_once)
        head.zero_grad()
        own = states.clone().requires_grad_()
        value = loss.head_loss(head, own, targets, items)
        value.backward()
        results.append([value.detach(), own.grad, head.weight.grad.clone(), head.bias.grad.clone()])
    for whole, parts in zip(*results, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)


def test_no_more_logits_than_those_of_a_part_exist_at_one_time(monkeypatch) -> None:
    head, states, targets = head_and_states()
    monkeypatch.setattr(loss, "_AT_ONCE", 16)
    sizes: list[int] = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # torch's own signature
            made = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() for t in tree_leaves(made) if isinstance(t, Tensor))
            return made

    with Sizes():
        loss.head_loss(head, states.requires_grad_(), targets).backward()
    assert max(sizes) == 16 * 100


def test_a_loss_in_parts_of_bf16_states_is_float32(monkeypatch) -> None:
    head, states, targets = head_and_states(torch.bfloat16)
    monkeypatch.setattr(loss, "_AT_ONCE", 16)
    exact = loss.token_loss(head(states), targets)
    parts = loss.head_loss(head, states, targets)
    assert parts.dtype == torch.float32
    torch.testing.assert_close(parts, exact, rtol=1e-5, atol=0)


def test_in_training_the_loss_comes_without_logits(fresh, rows, make_batch, monkeypatch) -> None:
    monkeypatch.setattr(loss, "_AT_ONCE", 4)
    model = fresh("regiongpt")
    batch = make_batch(model, rows, "right")
    labels = torch.where(batch["input_ids"] < 0, -100, batch["input_ids"])
    labels[:, 0] = -100  # nothing is before it
    del batch["attention_mask"]
    batch |= positions_of(labels)
    whole = model(**batch)
    in_training = model.train()(**batch)
    assert in_training.logits is None
    torch.testing.assert_close(in_training.loss, whole.loss)
