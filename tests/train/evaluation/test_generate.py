"""Replies in batches beside those of one question at a time, and beside a plain forward pass."""

import re

import pytest
import torch
from transformers import AutoModel

from model.processor import RegionProcessor
from model.regions import RegionAs
from train.evaluation.batches import Reader, load, planned
from train.evaluation.generate import generate
from train.evaluation.questions import read_questions

WORDS = ["dog", "a wild boar near the fence", "cat", "cow and calf"]
LENGTHS = [1, 3, 2, 4]  # turns of each record


@pytest.fixture(scope="module", params=["regiongpt", "gpt4roi"])
def reader(request, tiny_models, listed, make_row):
    folder = tiny_models[request.param]
    rows = listed(
        make_row(WORDS[:turns], id=f"coco/val/{turns}/region_classification/0") for turns in LENGTHS
    )
    rows.append(text_only(make_row))
    processor = RegionProcessor.from_pretrained(folder)
    form: RegionAs = "box" if request.param == "gpt4roi" else "mask"
    return Reader(rows=rows, processor=processor, region_as=form, image_root=None)


@pytest.fixture(scope="module")
def model(reader, tiny_models):
    kind = "gpt4roi" if reader.processor.region_grid is None else "regiongpt"
    model = AutoModel.from_pretrained(tiny_models[kind]).eval()
    model.set_attn_implementation({"text_config": "sdpa"})
    return model


def text_only(make_row):
    row = make_row(["Paris"], id="llava/val/9/image_conversation/0", regions=[], image=None)
    row["messages"][0]["content"] = "Which town is the capital of France?"
    return row


def work_of(rows):
    """All questions, as if the model had given the right answers before."""
    return [
        (question, {turn: WORDS[turn] for turn in question.earlier})
        for question in read_questions(rows)
    ]


def replies(reader, model, work, tokens=12):
    batch = reader.batch(work)
    assert batch.faults == {}
    return generate(model, reader.processor, batch.inputs, tokens)


def test_a_ragged_set_in_batches_equals_one_by_one(reader, model):
    work = work_of(reader.rows)
    together = replies(reader, model, work)
    alone = [replies(reader, model, [each])[0] for each in work]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert [reply.score for reply in together] == pytest.approx([r.score for r in alone], rel=1e-4)
    assert len(together) == sum(LENGTHS) + 1
    assert len({reply.text for reply in together}) > 1


def test_the_score_is_the_mean_probability_up_to_the_end(reader, model, monkeypatch):
    work = work_of(reader.rows)
    alone = [reader.batch([each]).inputs for each in work]
    answers = [
        model.generate(**inputs, do_sample=False, max_new_tokens=6)[0].tolist() for inputs in alone
    ]
    # As if a token ended answers that ends one of two sooner than the other.
    first, second, end = next(
        (first, second, token)
        for first, ids in enumerate(answers)
        for token in ids[:-1]
        for second, others in enumerate(answers)
        if token not in others
    )
    stopping = {**reader.processor.stopping(), "eos_token_id": [end]}
    monkeypatch.setattr(reader.processor, "stopping", lambda: stopping)
    batch = reader.batch([work[first], work[second]])
    made = generate(model, reader.processor, batch.inputs, 6)
    for number, reply in zip((first, second), made, strict=True):
        ids = answers[number]
        length = ids.index(end) + 1 if end in ids else len(ids)
        prompt = alone[number]["input_ids"]
        whole = torch.cat([prompt, torch.tensor([ids[:length]])], dim=1)
        rest = {k: value for k, value in alone[number].items() if not k.endswith(("ids", "mask"))}
        with torch.no_grad():
            logits = model(input_ids=whole, **rest).logits[0, prompt.shape[1] - 1 : -1]
        chosen = logits.softmax(-1)[range(length), ids[:length]]
        assert reply.score == pytest.approx(float(chosen.mean()), rel=1e-3)


@pytest.mark.parametrize("fault", ["damaged", "long", "strange"])
def test_a_question_that_cannot_be_read_takes_no_other_with_it(
    reader, model, listed, make_row, fault
):
    bad = make_row(["dog"], id="coco/val/5/region_classification/0")
    if fault == "damaged":
        bad["image"] = {"bytes": bad["image"]["bytes"][:60], "path": "5.png"}
        reason = "the picture is damaged"
    elif fault == "long":
        bad["messages"][0]["content"] += " Really?" * 400
        reason = r"tokens, expected \d+ at most"
    else:
        bad["regions"][0]["bbox"] = [70.0, 60.0, 80.0, 90.0]
        reason = "region 1"
    mixed = Reader(
        rows=listed([*reader.rows[:2], bad, *reader.rows[2:]]),
        processor=reader.processor,
        region_as=reader.region_as,
        image_root=None,
    )
    work = work_of(mixed.rows)
    batch = mixed.batch(work)
    ((number, shown),) = batch.faults.items()
    assert work[number][0].key[0] == bad["id"]
    assert re.search(reason, shown)
    good = [each for each in work if each[0].key[0] != bad["id"]]
    assert batch.readable == tuple(n for n in range(len(work)) if n != number)
    made = generate(model, mixed.processor, batch.inputs, 8)
    assert made == generate(model, mixed.processor, mixed.batch(good).inputs, 8)
    assert mixed.batch([work[number]]).inputs is None


def test_batches_hold_questions_of_like_length_round_by_round(reader):
    questions = read_questions(reader.rows)
    rounds = planned(questions, 3)
    assert [sum(map(len, batches)) for batches in rounds] == [5, 3, 2, 1]
    assert planned(questions[::-1], 3) == rounds
    for number, batches in enumerate(rounds):
        lengths = [question.characters for batch in batches for question in batch]
        assert lengths == sorted(lengths, reverse=True)
        assert {len(q.earlier) for batch in batches for q in batch} == {number}
        assert all(len(batch) == 3 for batch in batches[:-1])


def test_workers_make_the_same_batches(tiny_models, build_of, rows_of, monkeypatch):
    monkeypatch.setattr("train.evaluation.batches._WORTH_WORKERS", 1)
    rows = rows_of(build_of("eval_pope"))
    processor = RegionProcessor.from_pretrained(tiny_models["regiongpt"])
    reader = Reader(rows=rows, processor=processor, region_as="box", image_root=None)
    first, *others = read_questions(rows)[:4]
    works = [[(question, dict[int, str]()) for question in some] for some in (others, [first])]
    for mine, theirs in zip(load(reader, works, 0), load(reader, works, 1), strict=True):
        assert mine.readable == theirs.readable
        assert mine.inputs is not None
        assert theirs.inputs is not None
        assert mine.inputs.keys() == theirs.inputs.keys()
        assert all(torch.equal(mine.inputs[key], theirs.inputs[key]) for key in mine.inputs)
