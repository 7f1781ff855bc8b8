"""Generation against one row at a time, and against forward passes over all that is written."""

import io
from contextlib import redirect_stdout

import pytest
import torch
from torch import Tensor
from transformers import TextIteratorStreamer, TextStreamer

from model.attention import ATTENTION_NAME

GREEDY = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None}


@torch.no_grad()
def greedy_by_hand(model, embeds: Tensor, new: int) -> list[int]:
    """The likeliest next words of one row [T, D], each from a pass over all words so far."""
    words: list[int] = []
    for _ in range(new):
        logits = model.language_model(inputs_embeds=embeds[None], use_cache=False).logits
        words.append(int(logits[0, -1].argmax()))
        embeds = torch.cat([embeds, model.get_input_embeddings().weight[words[-1:]]])
    return words


def test_a_ragged_batch_writes_what_passes_without_cache_write(
    model, rows, make_batch, reference_embeds
) -> None:
    batch = make_batch(model, rows, "left")
    ids = model.generate(**batch, **GREEDY, max_new_tokens=6)
    expected = [greedy_by_hand(model, reference_embeds(model, row), 6) for row in rows]
    assert ids.tolist() == expected
    assert len({tuple(line) for line in expected}) > 2  # rows differ, or this test is blind


def test_ids_may_have_the_name_that_generate_gives_them(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    expected = model.generate(**batch, **GREEDY, max_new_tokens=2)
    ids = batch.pop("input_ids")
    assert torch.equal(model.generate(inputs=ids, **batch, **GREEDY, max_new_tokens=2), expected)
    assert torch.equal(model.generate(ids, **batch, **GREEDY, max_new_tokens=2), expected)


def test_a_ragged_batch_has_the_logits_of_its_rows(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    positions = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    logits = model(**batch, position_ids=positions).logits
    for row, mask, found in zip(rows, batch["attention_mask"], logits, strict=True):
        expected = model(**make_batch(model, [row])).logits[0]
        torch.testing.assert_close(found[mask.bool()], expected)


def test_the_end_of_one_row_does_not_end_the_others(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    expected = model.generate(**batch, **GREEDY, max_new_tokens=6)
    end = int(expected[0, 2])
    options = GREEDY | {"eos_token_id": end}
    ids = model.generate(**batch, **options, max_new_tokens=6)
    for line, whole in zip(ids.tolist(), expected.tolist(), strict=True):
        kept = whole[: whole.index(end) + 1] if end in whole else whole
        assert line == (kept + [0] * 6)[: len(line)]


def test_stop_strings_end_a_row_with_the_string(model, rows, make_batch, llama_tokenizer) -> None:
    batch = make_batch(model, rows[:1])
    pieces = llama_tokenizer.convert_ids_to_tokens(range(512))
    others = [id for id, piece in enumerate(pieces) if not (piece.isalpha() and len(piece) > 1)]
    options = {**GREEDY, "max_new_tokens": 16, "suppress_tokens": others}
    whole = model.generate(**batch, **options)[0].tolist()
    stop = pieces[whole[3]]
    texts = [llama_tokenizer.decode(whole[:count]) for count in range(17)]
    length = next(count for count, text in enumerate(texts) if stop in text)

    ids = model.generate(**batch, **options, stop_strings=[stop], tokenizer=llama_tokenizer)

    assert 1 <= length <= 4
    assert ids[0].tolist() == whole[:length]


def test_words_are_streamed_as_they_come(model, rows, make_batch, llama_tokenizer) -> None:
    batch = make_batch(model, rows[2:3])
    printed = io.StringIO()
    with redirect_stdout(printed):
        streamer = TextStreamer(llama_tokenizer)
        ids = model.generate(**batch, **GREEDY, max_new_tokens=8, streamer=streamer)[0]
    assert printed.getvalue() == llama_tokenizer.decode(ids) + "\n"
    pieces = TextIteratorStreamer(llama_tokenizer)
    model.generate(**batch, **GREEDY, max_new_tokens=8, streamer=pieces)
    assert "".join(pieces) == llama_tokenizer.decode(ids)


def test_several_answers_and_beams_keep_the_rows_apart(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    sampled = model.generate(
        **batch, do_sample=True, num_return_sequences=3, max_new_tokens=4, pad_token_id=0
    )
    assert len(sampled) == 12
    beams = model.generate(**batch, **GREEDY, num_beams=3, max_new_tokens=4)
    for row, line in zip(rows, beams, strict=True):
        alone = model.generate(**make_batch(model, [row]), **GREEDY, num_beams=3, max_new_tokens=4)
        assert line.tolist() == alone[0].tolist()


def test_scores_are_returned_where_asked_for(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    output = model.generate(
        **batch, **GREEDY, max_new_tokens=3, return_dict_in_generate=True, output_scores=True
    )
    assert output.sequences.shape == (4, 3)
    assert [len(scores) for scores in output.scores] == [4, 4, 4]
    best = torch.stack(output.scores, 1).argmax(-1)
    assert best.tolist() == output.sequences.tolist()


def test_rows_without_padding_need_no_other_attention(fresh, rows, make_batch) -> None:
    model = fresh("gpt4roi")
    batch = make_batch(model, rows[:1])
    expected = model.generate(**batch, **GREEDY, max_new_tokens=5)
    model.set_attn_implementation(ATTENTION_NAME)
    ids = model.generate(**batch, **GREEDY, max_new_tokens=5)
    assert ids.tolist() == expected.tolist()


def test_embeddings_that_are_ready_are_taken(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    expected = model.generate(**batch, **GREEDY, max_new_tokens=3)
    mask = batch.pop("attention_mask")
    embeds = model.embed(**batch)
    ids = model.generate(inputs_embeds=embeds, attention_mask=mask, **GREEDY, max_new_tokens=3)
    assert ids.tolist() == expected.tolist()


def test_placeholders_without_their_tensors_are_an_error(model, rows, make_batch) -> None:
    batch = make_batch(model, rows, "left")
    positions = batch["region_positions"]
    for name in ("region_positions", "region_indices", *model.region_names):
        del batch[name]
    count = int((batch["input_ids"] < 0).sum())
    message = f"ids have {count} placeholders .* positions of {count - len(positions)}"
    with pytest.raises(ValueError, match=message):
        model.generate(**batch, max_new_tokens=2)
    with pytest.raises(ValueError, match=f"ids have {count} placeholders .* positions of 0"):
        model.generate(batch["input_ids"], max_new_tokens=2)


def test_an_unknown_option_is_an_error(model, rows, make_batch) -> None:
    with pytest.raises(ValueError, match="region_box"):
        model.generate(**make_batch(model, rows), region_box=torch.ones(1), max_new_tokens=2)


def test_rows_padded_on_the_right_are_an_error(model, rows, make_batch) -> None:
    with pytest.raises(ValueError, match="padded on the right, expected padding_side='left'"):
        model.generate(**make_batch(model, rows, "right"), max_new_tokens=2)
