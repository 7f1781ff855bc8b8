"""Tiny models' parts: two tokenizers trained in a moment, one of each family; training batches."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.config import (
    IGNORED,
    IMAGE_END_ID,
    IMAGE_ID,
    IMAGE_START_ID,
    REGION_ID,
    GPT4RoIConfig,
    RegionConfig,
)

# Tests run in several processes at once, and models this small gain nothing from a second thread.
torch.set_num_threads(1)

TEXT = [
    *Path(__file__).read_text(encoding="utf-8").splitlines(),
    "A chat between a curious user and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "USER: What is in the region? ASSISTANT: a red star, next to the blue circle.",
    "### Human: Describe region1 and region2 briefly.\n### Assistant: The man is riding a horse.",
    "<|im_start|>user\nWhich region is the one on the left?<|im_end|>\n",
]


@pytest.fixture(scope="session")
def llama_tokenizer() -> PreTrainedTokenizerBase:
    """A tokenizer like Llama's: BPE with bytes to fall back on, spaces as U+2581, BOS and EOS."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = ["<unk>", "<s>", "</s>"]
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=special + alphabet, show_progress=False
    )
    words = [line.replace(" ", "\u2581") for line in TEXT for line in line.splitlines()]
    plain = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    plain.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    plain.train_from_iterator(words, trainer)
    tokenizer.model = plain.model
    tokenizer.add_special_tokens(
        [AddedToken(word, special=True, normalized=False) for word in special]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<unk>",
        add_bos_token=True,
        model_max_length=2048,
        padding_side="left",
    )


@pytest.fixture(scope="session")
def byte_tokenizer() -> PreTrainedTokenizerBase:
    """A tokenizer like Qwen's: BPE of bytes, ChatML's marks, no BOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=2048,
        padding_side="left",
    )


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def training_batch() -> Callable[..., dict[str, Tensor]]:
    """A function that makes a training batch without a processor, see `make_training_batch`."""
    return make_training_batch


def make_training_batch(
    config: RegionConfig, *, regions: int = 2, words: int = 24, answer: int = 6, packed: bool = True
) -> dict[str, Tensor]:
    """A row with a picture, its regions and words, of which the last ones are the answer.

    Packed, a second segment of as many words follows, with an answer too.
    """
    boundaries = getattr(config, "image_boundaries", False)
    picture = [IMAGE_ID] * config.image_tokens
    if boundaries:
        picture = [IMAGE_START_ID, *picture, IMAGE_END_ID]
    segments = [[1, *picture, *[REGION_ID] * regions], [1] if packed else []]
    segments = [start + [3 + 7 * n % 500 for n in range(words)] for start in segments if start]
    ids = torch.tensor([[token for part in segments for token in part]])
    labels = torch.cat(
        [torch.tensor([IGNORED] * (len(part) - answer) + part[-answer:]) for part in segments]
    )
    predictors = (labels != IGNORED).nonzero().flatten() - 1
    batch = {
        "input_ids": ids,
        "position_ids": torch.cat([torch.arange(len(part)) for part in segments])[None],
        "loss_positions": predictors,
        "loss_targets": labels[predictors + 1],
        "pixel_values": torch.randn(1, 3, config.image_size, config.image_size),
        "image_positions": (ids[0] == IMAGE_ID).nonzero().flatten(),
    }
    if packed:
        numbers = [torch.full((len(part),), n) for n, part in enumerate(segments)]
        batch["segment_ids"] = torch.cat(numbers)[None]
    if boundaries:
        batch["boundary_positions"] = torch.tensor([1, 2 + config.image_tokens])
    if regions:
        batch |= _region_inputs(config, ids, regions)
    return batch


def _region_inputs(config: RegionConfig, ids: Tensor, regions: int) -> dict[str, Tensor]:
    positions = (ids[0] == REGION_ID).nonzero().flatten()
    common = {"region_positions": positions, "region_indices": torch.arange(regions)}
    if not isinstance(config, GPT4RoIConfig):
        grid = config.region_grid
        return {**common, "region_weights": torch.rand(1, regions, grid, grid)}
    near, far = torch.rand(2, regions, 2) * config.image_size / 2
    boxes = torch.cat([near, config.image_size - far], dim=1)
    return {**common, "region_boxes": boxes, "region_images": torch.zeros(regions).long()}
