"""A tiny model in a folder, to try a program on before real weights are at hand.

Its weights are random and its words are bytes, so what it answers means nothing.

    write_tiny_model("/model")                      # RegionGPT, 1 MB
    write_tiny_model("/model", tiny_gpt4roi())      # GPT4RoI
"""

from os import PathLike

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModel, PreTrainedTokenizerFast

from model.config import RegionConfig
from model.presets import tiny_regiongpt
from model.processor import processor_for


def write_tiny_model(folder: str | PathLike[str], config: RegionConfig | None = None) -> None:
    """Write a model with random weights, the same each time, and its processor.

    Args:
        folder: made if it is not there.
        config: the model's shape; its vocabulary becomes that of `byte_tokenizer`.
    """
    config = tiny_regiongpt() if config is None else config
    tokenizer = byte_tokenizer()
    config.text_config.vocab_size = len(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    processor_for(config, tokenizer).save_pretrained(folder)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of 259 words: `<unk>`, `<s>`, `</s>`, and the bytes of UTF-8."""
    special = ["<unk>", "<s>", "</s>"]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(word, special=True, normalized=False) for word in special]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        padding_side="left",
    )
