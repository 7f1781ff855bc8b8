"""The small tokenizer: its kind, its size, and text that survives it."""

from hypothesis import example, given
from hypothesis import strategies as st

from train.stage0.tokenizer import train_tokenizer

WORDS = train_tokenizer(["a red star", "the red square\nand a blue star"] * 9, vocabulary=320)


def test_frequent_words_are_single_tokens(tokenizer):
    for word in ("red", "star", "circle", "region"):
        assert len(tokenizer(f"a {word}", add_special_tokens=False).input_ids) <= 3
    assert tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    assert len(tokenizer) == 512


def test_a_small_text_gives_a_small_vocabulary():
    assert 259 < len(WORDS) < 320
    assert WORDS.convert_ids_to_tokens(WORDS("a red star").input_ids) == [
        "<s>", "\u2581a", "\u2581red", "\u2581star",
    ]  # fmt: skip


@given(st.text(max_size=40))
@example(" ")
@example("  a")
def test_any_text_survives(text):
    if "\u2581" in text or any(mark in text for mark in ("<s>", "</s>", "<unk>")):
        return
    ids = WORDS(text, add_special_tokens=False).input_ids
    expected = text.encode("utf-8", "replace").decode()
    assert WORDS.decode(ids) == expected.removeprefix(" ")  # the blank of the first word
