"""Tokenizers of each family that language models come with, and a chat template of a thinker."""

import copy
import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import AddedToken, Tokenizer, pre_tokenizers
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
)

from model.text import ConversationEncoder, TokenLayout, chosen_template

# A system message where none is given, as Qwen2.5's; an empty thought before the last answer, as
# Qwen3's, and in a prompt whose answer shall have none.
CHAT = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)


def _legacy(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The same vocabulary in the form of older folders: a normaliser writes the spaces."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["pre_tokenizer"] = None
    steps = [
        {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    ]
    state["normalizer"] = {"type": "Sequence", "normalizers": steps}
    backend = Tokenizer.from_str(json.dumps(state))
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special, add_bos_token=True)


def _qwen() -> PreTrainedTokenizerBase:
    """Qwen's own class, with its rules for words and a few merges."""
    merges = [("e", "d"), ("r", "ed"), (".", "\u010a"), ("\u010a", "\u010a"), ("#", "#")]
    merges += [("\u0120", "a"), ("\u0120", "red"), ("\u0120", "\u0120")]
    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges)]
    vocabulary = {word: number for number, word in enumerate(words)}
    return Qwen2Tokenizer(vocab=vocabulary, merges=merges, eos_token="<|im_end|>")


@pytest.fixture(scope="session")
def tokenizers(llama_tokenizer, byte_tokenizer, tmp_path_factory):
    """A tokenizer of each family, with ChatML's marks and template, as it opens from a folder."""
    made = {
        "llama": copy.deepcopy(llama_tokenizer),
        "llama_legacy": _legacy(llama_tokenizer),
        "byte": copy.deepcopy(byte_tokenizer),
        "qwen": _qwen(),
    }
    for family, tokenizer in made.items():
        marks = [AddedToken(word, special=True) for word in ("<|im_start|>", "<|im_end|>")]
        thought = [AddedToken(word, special=False) for word in ("<think>", "</think>")]
        tokenizer.add_tokens([*marks, *thought])
        tokenizer.chat_template = CHAT
        folder = tmp_path_factory.mktemp(family)
        tokenizer.save_pretrained(folder)
        made[family] = AutoTokenizer.from_pretrained(folder)
    return made


@pytest.fixture(params=["llama", "llama_legacy", "byte", "qwen"])
def family(request):
    """The family of the tokenizer."""
    return request.param


@pytest.fixture(params=["vicuna_v0", "vicuna_v1", "chat"])
def template(request):
    """The name of the template."""
    return request.param


@pytest.fixture
def tokenizer(tokenizers, family):
    """The tokenizer of the family."""
    return tokenizers[family]


@pytest.fixture(scope="session")
def encoder_of(tokenizers):
    """Makes an encoder of a family and a template, once; pictures have two tokens."""

    @cache
    def make(family: str, template: str, **layout: Any) -> ConversationEncoder:
        tokenizer = tokenizers[family]
        shape = TokenLayout(**{"image_tokens": 2, **layout})
        return ConversationEncoder(tokenizer, chosen_template(template, tokenizer), shape)

    return make


@pytest.fixture
def encoder(encoder_of, family, template):
    """The encoder of the family and the template."""
    return encoder_of(family, template)


@pytest.fixture(scope="session")
def built_rows(every_recipe):
    """Rows of the sample world in every recipe: of each task, two of each recipe."""
    return [row for output in sorted(every_recipe.iterdir()) for row in _some_of_each_task(output)]


def _some_of_each_task(output: Path) -> list[dict[str, Any]]:
    chosen: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(output.glob("*/*.arrow")):
        with pa.ipc.open_stream(path) as stream:
            table = stream.read_all()
        for row in table.select(["id", "messages", "turn_tasks", "regions"]).to_pylist():
            for task in set(row["turn_tasks"]):
                chosen[task, row["messages"][0]["content"][:7]].append(row)
    return [row for rows in chosen.values() for row in rows[:2]]
