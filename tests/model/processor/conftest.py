"""The processors of both tiny models, and a small picture."""

import copy

import numpy as np
import pytest
from PIL import Image
from transformers import PreTrainedTokenizerBase

from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import RegionProcessor, processor_for


@pytest.fixture(scope="session")
def box_processor(llama_tokenizer: PreTrainedTokenizerBase) -> RegionProcessor:
    """GPT4RoI's, with a token before and one after the picture's."""
    return processor_for(tiny_gpt4roi(image_boundaries=True), llama_tokenizer)


@pytest.fixture(scope="session")
def mask_processor(llama_tokenizer: PreTrainedTokenizerBase) -> RegionProcessor:
    """RegionGPT's."""
    return processor_for(tiny_regiongpt(), llama_tokenizer)


@pytest.fixture(scope="session")
def chat_processor(byte_tokenizer: PreTrainedTokenizerBase) -> RegionProcessor:
    """RegionGPT's, with a language model that has its own chat template."""
    tokenizer = copy.deepcopy(byte_tokenizer)
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return processor_for(tiny_regiongpt(template="chat"), tokenizer)


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A picture of 64 x 48 pixels."""
    values = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)
