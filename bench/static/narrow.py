"""Models of the same classes as the papers' at small widths, for what widths do not change."""

from dataclasses import replace

from bench.static.cases import Case
from model.config import GPT4RoIConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt

_WORDS = 2048  # of the vocabulary


def narrowed(case: Case, blocks: int | None = None) -> Case:
    """Return a case of small width, with as many blocks of the language model as it has, or fewer.

    Its rows are as long as the case's but for the picture, of 16 tokens.
    """
    config = tiny_gpt4roi() if isinstance(case.config, GPT4RoIConfig) else tiny_regiongpt()
    text, full = config.text_config, case.config.text_config
    text.num_hidden_layers = full.num_hidden_layers if blocks is None else blocks
    text.max_position_embeddings = full.max_position_embeddings
    text.vocab_size = _WORDS
    config.template, config.image_fit = case.config.template, case.config.image_fit
    return replace(case, config=config)
