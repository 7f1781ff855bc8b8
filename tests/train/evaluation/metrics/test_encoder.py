"""The text encoder: the mean of a BERT's states, and the refusal of every other model."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from schemas.errors import InputFileError, UsageError
from train.evaluation.metrics.encoder import MINILM, Model, SentenceEncoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "star", "dog", "##s", "leg"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def tokenizer() -> Tokenizer:
    """A tokenizer that cuts at 8 tokens and pads to them: settings that must not count."""
    made = Tokenizer(WordPiece({word: k for k, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(8)
    made.enable_padding(length=8)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small BERT of random weights."""
    path = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), intermediate_size=64, max_position_embeddings=300, **SMALL
    )
    BertModel(config).save_pretrained(path)
    tokenizer().save(str(path / "tokenizer.json"))
    return path


@pytest.fixture(scope="module")
def small(folder) -> Model:
    digests = {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "tokenizer.json")
    }
    return Model(name="small", digests=digests, settings={"model_type": "bert", **SMALL})


@pytest.fixture(scope="module")
def encoder(folder, small) -> SentenceEncoder:
    return SentenceEncoder(folder, small)


def by_hand(folder: Path, ids: list[int]) -> np.ndarray:
    """The mean of the last states of one text without padding, divided by its norm."""
    model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        mean = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
    return (mean / mean.norm()).numpy()


def test_a_text_is_the_mean_of_its_tokens_whatever_its_company(folder, encoder):
    texts = ["A red star", "dogs", "", "leg " * 40, "Dog's"]
    vectors = encoder.encode(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[0], by_hand(folder, [2, 4, 5, 6, 3]), atol=1e-6)
    assert np.allclose(vectors[1], by_hand(folder, [2, 7, 8, 3]), atol=1e-6)
    assert np.allclose(vectors[2], by_hand(folder, [2, 3]), atol=1e-6)
    assert np.allclose(vectors[3], by_hand(folder, [2, *[9] * 40, 3]), atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.allclose(encoder.encode([text])[0], vector, atol=1e-6)


def test_case_has_no_part_and_256_tokens_count(encoder):
    upper, lower = encoder.encode(["RED STAR", "red star"])
    assert np.array_equal(upper, lower)
    most, more, fewer = encoder.encode(["a " * 254, "a " * 254 + "dog " * 9, "a " * 253])
    assert np.array_equal(most, more)
    assert not np.array_equal(most, fewer)


def test_many_texts_and_none(encoder):
    texts = [" ".join(WORDS[4 + k % 4 : 9]) for k in range(150)]
    assert np.allclose(encoder.encode(texts)[::-1], encoder.encode(texts[::-1]), atol=1e-6)
    assert encoder.encode([]).shape == (0, 32)


def test_another_model_is_refused(folder):
    with pytest.raises(InputFileError, match=r"model.safetensors is not that of all-MiniLM-L6-v2"):
        SentenceEncoder(folder)
    assert MINILM.name == "all-MiniLM-L6-v2"


def copied(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target / "copy"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_is_missing_or_changed_is_refused(folder, small, tmp_path, name):
    path = copied(folder, tmp_path) / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"dog"', b'"cat"') if name[0] == "t" else content[:-9])
    with pytest.raises(InputFileError, match=name):
        SentenceEncoder(path.parent, small)
    path.unlink()
    with pytest.raises(UsageError, match=f"{name}: no such file"):
        SentenceEncoder(path.parent, small)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"num_attention_heads": 2}, "num_attention_heads is 2, expected 4"), (None, "settings")],
)
def test_other_settings_are_refused(folder, small, tmp_path, change, message):
    path = copied(folder, tmp_path) / "config.json"
    settings = json.loads(path.read_bytes())
    changed = settings | change if change else [settings]
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(InputFileError, match=message):
        SentenceEncoder(path.parent, small)


def test_settings_that_nest_without_end_are_refused(folder, small, tmp_path):
    path = copied(folder, tmp_path) / "config.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(InputFileError, match="nested too deep"):
        SentenceEncoder(path.parent, small)
