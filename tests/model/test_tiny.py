"""The tiny models that a user can try a program on."""

import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

from model.config import RegionConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.tiny import byte_tokenizer, write_tiny_model


@pytest.mark.parametrize("config", [None, tiny_gpt4roi(), tiny_regiongpt(template="vicuna_v0")])
def test_its_folder_is_opened_by_transformers_and_answers(tmp_path, config: RegionConfig | None):
    write_tiny_model(tmp_path, config)
    model, processor = AutoModel.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    picture = Image.new("RGB", (60, 40), "teal")
    batch = processor(
        images=picture, text="<image>\nWhat is in <region1>?", regions=[(5, 5, 30, 30)]
    )
    answer = model.generate(**batch, **processor.stopping(), max_new_tokens=4)
    assert 1 <= answer.shape[1] <= 4
    assert model.config.text_config.vocab_size == 259 > answer.max()


def test_its_weights_are_the_same_each_time_and_leave_chance_alone(tmp_path):
    before = torch.random.get_rng_state()
    write_tiny_model(tmp_path / "first")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(7)
    write_tiny_model(tmp_path / "second")
    first, second = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")
    )
    assert first == second


def test_its_words_are_bytes():
    tokenizer = byte_tokenizer()
    every = "".join(map(chr, range(0x800))) + "\u4e00\U0001f600"
    ids = tokenizer.encode(every, add_special_tokens=False)
    assert len(ids) == len(every.encode())
    assert min(ids) > 2
    assert tokenizer.decode(ids) == every
    assert tokenizer.encode("</s>", add_special_tokens=False) == [2]
    assert len(tokenizer) == 259
