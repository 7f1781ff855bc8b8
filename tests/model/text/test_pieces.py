"""Pieces of text: their ids join to those of the whole text, and data never become marks."""

import copy
import json
from itertools import chain
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import LlamaTokenizer, PreTrainedTokenizerFast

from model.text.pieces import PieceEncoder
from schemas.errors import UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MARKS = ("<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "###")


@pytest.fixture(scope="module")
def encoders(tokenizers):
    """The encoder of each family."""
    return {family: PieceEncoder(tokenizer) for family, tokenizer in tokenizers.items()}


@given(data=st.data(), text=TEXT)
def test_a_whole_text_has_the_ids_of_transformers(tokenizers, encoders, data, text):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    if family == "llama_legacy" and text.startswith(" "):
        return  # a second space before the first is no harm, and no use
    ids = tokenizers[family](text, add_special_tokens=False).input_ids
    assert encoders[family].encode(text, first=True) == ids


@given(data=st.data(), words=st.lists(st.text("ab.:[#é1", min_size=1), min_size=1, max_size=5))
def test_pieces_join_to_the_ids_of_transformers(tokenizers, encoders, data, words):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    tokenizer, encoder = tokenizers[family], encoders[family]
    pieces = [words[0], *(f" {word}" for word in words[1:])]
    joined = [encoder.encode(piece, first=index == 0) for index, piece in enumerate(pieces)]
    assert list(chain(*joined)) == tokenizer("".join(pieces), add_special_tokens=False).input_ids


@given(data=st.data(), pieces=st.lists(st.sampled_from([*MARKS, "a", " ", "<", "|", "\n", "/"])))
def test_data_never_become_marks(tokenizers, encoders, data, pieces):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    tokenizer, encoder, text = tokenizers[family], encoders[family], "".join(pieces)
    ids = encoder.encode(text)
    assert not set(ids) & set(tokenizer.added_tokens_encoder.values())
    start = encoder.encode("x")  # decoders drop a space at the start
    assert tokenizer.decode([*start, *ids], clean_up_tokenization_spaces=False) == f"x{text}"


@given(data=st.data(), text=TEXT.filter(lambda text: "\u2581" not in text))
def test_ids_decode_to_the_text(tokenizers, encoders, data, text):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    tokenizer, encoder = tokenizers[family], encoders[family]
    ids = [*encoder.encode("x"), *encoder.encode(text)]
    expected = text if family.startswith("llama") else normalize("NFC", text)
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == f"x{expected}"


def test_a_vocabulary_that_could_spell_a_mark():
    letters = [*"▁</s>", "</", "s>"]
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", *letters, "</s>"])}
    merges = [("<", "/"), ("s", ">"), ("</", "s>")]
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges)
    end = tokenizer.eos_token_id
    spelled = tokenizer("</s>", add_special_tokens=False, split_special_tokens=True).input_ids
    assert end in spelled  # so transformers' own switch is not enough
    tokens = tokenizer.convert_ids_to_tokens(PieceEncoder(tokenizer).encode("</s>"))
    assert tokens == ["</", "s>"]


def test_a_vocabulary_that_holds_a_mark_as_a_word():
    """Some tokenizers take a word that the vocabulary holds as it is, without merges."""
    vocabulary = {token: number for number, token in enumerate([*"</s>", "<unk>", "</s>"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    assert tokenizer("</s>", split_special_tokens=True).input_ids == [tokenizer.eos_token_id]
    assert PieceEncoder(tokenizer).encode("</s>") == [0, 1, 2, 3]


def test_a_space_at_the_start_is_the_dummy_space(tokenizers, encoders):
    ids = tokenizers["llama"](" a star", add_special_tokens=False).input_ids
    assert encoders["llama"].encode(" a star", first=True) == ids
    assert encoders["llama"].encode("a star", first=True) == ids


def test_the_longest_mark_is_taken(byte_tokenizer):
    tokenizer = copy.deepcopy(byte_tokenizer)
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in ("<a", "<a>", "<a>b")])
    for text in ("<a>b", "<a>", "<a b"):
        (mark,) = [part for part in PieceEncoder(tokenizer).split(text) if isinstance(part, int)]
        assert mark == tokenizer(text).input_ids[0]


def test_runs_of_blanks_stay_tokens(byte_tokenizer):
    """Some vocabularies hold runs of blanks as added tokens; text is made of them."""
    state = json.loads(byte_tokenizer.backend_tokenizer.to_str())
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    tokenizer.add_tokens(["    "])
    encoder = PieceEncoder(tokenizer)
    text = "a    b"
    assert encoder.encode(text) == tokenizer(text).input_ids
    assert tokenizer.convert_tokens_to_ids("    ") in encoder.encode(text)


def test_a_template_s_text_is_parted_at_its_marks(tokenizers):
    encoder = PieceEncoder(tokenizers["qwen"])
    start, end = (encoder.marks[mark] for mark in ("<|im_start|>", "<|im_end|>"))
    parts = encoder.split("<|im_start|>user\nhi<|im_end|>\n")
    assert parts == ["", start, "user\nhi", end, "\n"]


def test_blanks_beside_a_mark_that_the_tokenizer_drops(byte_tokenizer):
    state = json.loads(byte_tokenizer.backend_tokenizer.to_str())
    for token in state["added_tokens"]:
        token["rstrip"] = token["content"] == "<|im_start|>"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    encoder = PieceEncoder(tokenizer)
    text = "<|im_start|>\n a<|im_end|>\n"
    parts = [
        [part] if isinstance(part, int) else encoder.encode(part) for part in encoder.split(text)
    ]
    assert list(chain(*parts)) == tokenizer(text).input_ids


def test_other_kinds_of_tokenizers_are_refused():
    backend = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UsageError, match="is a WordLevel tokenizer, expected byte pair"):
        PieceEncoder(PreTrainedTokenizerFast(tokenizer_object=backend))
    with pytest.raises(UsageError, match=r"object has no tokenizer\.json"):
        PieceEncoder(object())


def test_a_piece_that_comes_again_has_the_same_ids(byte_tokenizer):
    encoder = PieceEncoder(byte_tokenizer)
    first = encoder.encode("a red star")
    first.append(7)  # its reader's own list
    again = encoder.encode("a red star")
    assert again == first[:-1] == PieceEncoder(byte_tokenizer).encode("a red star")
    long = "star " * 100
    assert encoder.encode(long) == encoder.encode(long)
    assert set(encoder._known) == {"a red star"}
