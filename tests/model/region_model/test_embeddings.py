"""Pictures and regions in the rows of a batch, against embeddings written token by token."""

import pytest
import torch


def test_a_mixed_batch_has_the_embeddings_of_its_rows(
    model, rows, make_batch, reference_embeds
) -> None:
    batch = make_batch(model, rows, "left")
    seen = batch.pop("attention_mask").bool()
    with torch.no_grad():
        embeds = model.embed(**batch)
        for embedded, mask, row in zip(embeds, seen, rows, strict=True):
            torch.testing.assert_close(embedded[mask], reference_embeds(model, row))


def test_gpt4roi_without_boundaries_has_the_embeddings_of_its_rows(
    fresh, rows, make_batch, reference_embeds
) -> None:
    test_a_mixed_batch_has_the_embeddings_of_its_rows(
        fresh("gpt4roi"), rows, make_batch, reference_embeds
    )


def test_text_alone_is_the_words(model, rows, make_batch) -> None:
    batch = make_batch(model, [rows[1]])
    assert set(batch) == {"input_ids"}
    words = model.get_input_embeddings()(batch["input_ids"])
    torch.testing.assert_close(model.embed(**batch), words, rtol=0, atol=0)


def test_regions_change_nothing_before_them(model, rows, make_batch) -> None:
    batch = make_batch(model, rows[:1])
    first = int(batch["region_positions"][0])
    expected = model(**batch).logits[0]
    name = model.region_names[0]
    batch[name] = batch[name].flip(-1)
    logits = model(**batch).logits[0]
    torch.testing.assert_close(logits[:first], expected[:first], rtol=0, atol=0)
    assert (logits[first:] - expected[first:]).abs().max() > 1e-6


@pytest.mark.parametrize("name", ["image", "region"])
def test_counts_that_differ_are_an_error_with_both(model, rows, make_batch, name) -> None:
    batch = make_batch(model, rows)
    positions = batch[f"{name}_positions"]
    batch[f"{name}_positions"] = positions[:-1]
    counts = f"{len(positions) - 1} {name} positions for {len(positions)} {name} vectors"
    with pytest.raises(ValueError, match=counts):
        model(**batch)


def test_boundaries_are_asked_for_and_refused(fresh, rows, make_batch) -> None:
    with_vectors, without = fresh("boundaries"), fresh("gpt4roi")
    batch = make_batch(with_vectors, rows)
    with pytest.raises(ValueError, match="8 boundary positions for 0 boundary vectors"):
        without(**batch)
    del batch["boundary_positions"]
    with pytest.raises(ValueError, match="0 boundary positions for 8 boundary vectors"):
        with_vectors(**batch)


def test_regions_of_the_other_model_are_an_error(fresh, rows, make_batch) -> None:
    gpt4roi, regiongpt = fresh("gpt4roi"), fresh("regiongpt")
    with pytest.raises(ValueError, match="has region_weights, and this model takes regions as "):
        gpt4roi(**make_batch(regiongpt, rows))
    with pytest.raises(ValueError, match="has region_boxes, region_images, and this model takes"):
        regiongpt(**make_batch(gpt4roi, rows))


def test_a_tensor_that_is_missing_is_named(model, rows, make_batch) -> None:
    batch = make_batch(model, rows)
    optional = {"input_ids", "boundary_positions"}
    for name in set(batch) - optional:
        part = {key: value for key, value in batch.items() if key != name}
        with pytest.raises(ValueError, match=f"without {name}$"):
            model(**part)


def test_regions_that_no_token_names_are_not_encoded(model, rows, make_batch) -> None:
    batch = make_batch(model, rows[:1])
    without = {key: value for key, value in batch.items() if not key.startswith("region")}
    name = model.region_names[0]
    del batch["region_positions"], batch["region_indices"]
    torch.testing.assert_close(
        model.embed(**batch), model.embed(**without), rtol=0, atol=0, msg=f"{name} was used"
    )


def test_ids_and_embeddings_are_not_given_together(model, rows, make_batch) -> None:
    batch = make_batch(model, [rows[1]])
    embeds = model.embed(**batch)
    with pytest.raises(ValueError, match="input_ids or inputs_embeds"):
        model(**batch, inputs_embeds=embeds)
    with pytest.raises(ValueError, match="input_ids or inputs_embeds"):
        model()
    expected = model(**batch).logits
    torch.testing.assert_close(model(inputs_embeds=embeds).logits, expected, rtol=0, atol=0)


def test_an_unknown_tensor_is_an_error(model) -> None:
    with pytest.raises(TypeError, match="region_box"):
        model.embed(torch.ones(1, 3, dtype=torch.long), region_box=torch.ones(1, 4))
