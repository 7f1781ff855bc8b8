"""A tiny Llama that knows a build's conversations, trained without pictures.

Image tokens are left out. What a connector will give for a region stands in for now: the class of
the region, as one compound token of each category, whose rows are dropped afterwards:

    <image> What is in <region1>?      What is in [red star]?
    red star                           red star
"""

import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from model.config import IGNORED, IMAGE_ID, REGION_ID, RegionConfig
from model.processor import RegionProcessor, processor_for
from train.data.rows import Row, ShardRows
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting, Progress, fit
from train.stage0.tokenizer import train_tokenizer

_START_STD = 0.02  # of compound tokens, as of Llama's words
_TEXTS = 1000  # rows whose words the tokenizer is trained on
_MARKS = re.compile(r"<image>|<region[0-9]+>|</?s>")


class CompoundLanguage(nn.Module):
    """A language model with further rows in its table of words, which nothing answers with."""

    def __init__(self, config: RegionConfig, compounds: int) -> None:
        super().__init__()
        self.language = AutoModelForCausalLM.from_config(config.text_config)
        width = config.text_config.hidden_size
        self.compounds = nn.Parameter(_START_STD * torch.randn(compounds, width))

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of supervised tokens.

        Args:
            ids: [B, T], compound tokens after the vocabulary.
            labels: [B, T], -100 where there is no loss.
        """
        words = self.language.get_input_embeddings().weight
        rows = functional.embedding(ids, torch.cat([words, self.compounds]))
        decoder = self.language.get_decoder()
        states = decoder(inputs_embeds=rows, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        supervised = targets != IGNORED
        logits = self.language.get_output_embeddings()(states[supervised])
        return functional.cross_entropy(logits, targets[supervised])


def build_tokenizer(config: RegionConfig, rows: ShardRows) -> PreTrainedTokenizerBase:
    """Return a tokenizer of the conversations of a build, in the form in which they are written."""
    step = -(-len(rows) // _TEXTS)
    talks = [rows[number]["messages"] for number in range(0, len(rows), step)]
    plain = [message["content"] for talk in talks for message in talk]
    size = config.text_config.vocab_size
    writer = processor_for(config, train_tokenizer(plain, vocabulary=size))
    written = [_MARKS.sub(" ", writer.apply_chat_template(talk)) for talk in talks]
    return train_tokenizer(
        written, vocabulary=size, max_length=config.text_config.max_position_embeddings
    )


def train_language(
    config: RegionConfig,
    rows: ShardRows,
    categories: Categories,
    tokenizer: PreTrainedTokenizerBase,
    fitting: Fitting,
    progress: Progress,
) -> PreTrainedModel:
    """Return a language model of transformers, trained on the conversations of a build.

    Args:
        config: of the model whose language model it is.
        rows: of the build.
        categories: of the build.
        tokenizer: of `build_tokenizer`.
        fitting: see there.
        progress: called after each step.
    """
    processor = processor_for(config, tokenizer)
    torch.manual_seed(fitting.seed)
    model = CompoundLanguage(config, len(categories))

    def loss_of(numbers: list[int]) -> Tensor:
        made = [_compound(rows[number], processor, categories) for number in numbers]
        ids, labels = ([torch.from_numpy(row) for row in part] for part in zip(*made, strict=True))
        words = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        return model(words, pad_sequence(labels, batch_first=True, padding_value=IGNORED))

    fit(model, rows.ids(), fitting, loss_of, progress)
    language: PreTrainedModel = model.language
    return language


def _compound(
    row: Row, processor: RegionProcessor, categories: Categories
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids and labels of a row: compound tokens for its regions, none for its picture."""
    example = processor.encode_row(row, "box")
    ids, labels = np.array(example.input_ids), np.array(example.labels)
    classes = [categories.label(row["regions"][number]) for number in example.region_tokens]
    ids[ids == REGION_ID] = len(processor.tokenizer) + np.array(classes, dtype=np.int64)
    kept = ids != IMAGE_ID
    return ids[kept], labels[kept]
