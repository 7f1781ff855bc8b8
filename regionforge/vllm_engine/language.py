"""The language model of a region model, apart from it: a folder for vLLM, and what is left here."""

from pathlib import Path

from torch import nn

from model.serve.opened import OpenedModel


class _Words(nn.Module):
    """The table of words, in the place of a language model."""

    def __init__(self, words: nn.Module) -> None:
        super().__init__()
        self.words = words

    def get_input_embeddings(self) -> nn.Module:
        """Return the table."""
        return self.words


def write_language(opened: OpenedModel, folder: Path) -> None:
    """Write the language model and its tokenizer as transformers does."""
    opened.model.language_model.save_pretrained(folder)
    opened.processor.tokenizer.save_pretrained(folder)


def drop_language(opened: OpenedModel) -> None:
    """Leave of the language model the table of words alone, with which prompts are embedded."""
    opened.model.language_model = _Words(opened.model.get_input_embeddings())
