"""A tiny Llama that knows a build's conversations, trained without pictures.

What a connector will give for a region stands in for now: the class of the region, as one compound
token of each category, whose rows are dropped afterwards. Image tokens are left out:

    <image> What is in <region1>?      What is in [red star]?
    red star                           red star

Or they are the classes that the vision tower sees in the patches of the picture:

    <image> Is there a star?           [] [red star] [red star] ... [] Is there a star?
    Yes, there is a star.              Yes, there is a star.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

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
from train.stage0.fitting import Fitting, Progress, fit
from train.stage0.stand_ins import Classes, StandIns
from train.stage0.tokenizer import train_tokenizer

_START_STD = 0.02  # of compound tokens, as of Llama's words
_TEXTS = 1000  # rows whose words the tokenizer is trained on
_MARKS = re.compile(r"<image>|<region[0-9]+>|</?s>")


@dataclass(frozen=True)
class Phase:
    """A part of the training: the numbers of the rows that it reads, and the way."""

    numbers: Sequence[int]
    fitting: Fitting


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
    stand_ins: StandIns,
    tokenizer: PreTrainedTokenizerBase,
    phases: Sequence[Phase],
    progress: Progress,
) -> PreTrainedModel:
    """Return a language model of transformers, trained on the conversations of a build.

    Args:
        config: of the model whose language model it is.
        rows: of the build.
        stand_ins: the classes in place of pictures.
        tokenizer: of `build_tokenizer`.
        phases: one after the other.
        progress: called after each step.
    """
    processor = processor_for(config, tokenizer)
    torch.manual_seed(phases[0].fitting.seed)
    model = CompoundLanguage(config, stand_ins.count)

    def loss_of(phase: Phase, positions: list[int]) -> Tensor:
        some = [rows[phase.numbers[position]] for position in positions]
        seen = zip(some, stand_ins.of(some), strict=True)
        made = [_compound(row, processor, classes) for row, classes in seen]
        ids, labels = ([torch.from_numpy(row) for row in part] for part in zip(*made, strict=True))
        words = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        return model(words, pad_sequence(labels, batch_first=True, padding_value=IGNORED))

    ids = rows.ids()
    for phase in phases:
        read = [ids[number] for number in phase.numbers]
        fit(model, read, phase.fitting, partial(loss_of, phase), progress)
    language: PreTrainedModel = model.language
    return language


def _compound(
    row: Row, processor: RegionProcessor, classes: Classes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids and labels of a row: compound tokens in place of regions and picture."""
    example = processor.encode_row(row, "box")
    ids, labels = np.array(example.input_ids), np.array(example.labels)
    first, regions = len(processor.tokenizer), np.array(classes.regions, dtype=np.int64)
    ids[ids == REGION_ID] = first + regions[list(example.region_tokens)]
    if classes.patches.size:
        ids[ids == IMAGE_ID] = first + classes.patches
    kept = ids != IMAGE_ID
    return ids[kept], labels[kept]
