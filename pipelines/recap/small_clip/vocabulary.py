"""The vocabulary of the small CLIP, whose tokens are a few hundred whole words."""

import re
from collections.abc import Sequence

PAD, UNKNOWN, END = "<pad>", "<unk>", "<end>"
PAD_ID, UNKNOWN_ID, END_ID = 0, 1, 2
_SPECIAL = (PAD, UNKNOWN, END)

_WORD = re.compile(r"[a-z]+|\d+")


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text in small letters, without punctuation."""
    return _WORD.findall(text.lower())


class Vocabulary:
    """A list of words that turns texts into rows of token ids."""

    def __init__(self, words: Sequence[str]) -> None:
        self._ids = {word: number for number, word in enumerate((*_SPECIAL, *words))}

    def __len__(self) -> int:
        """Return the number of tokens, special ones included."""
        return len(self._ids)

    def encode(self, text: str, length: int) -> list[int]:
        """Return the token ids of a text's words and of its end, cut or padded to a length."""
        ids = [self._ids.get(word, UNKNOWN_ID) for word in words_of(text)][: length - 1]
        return [*ids, END_ID] + [PAD_ID] * (length - 1 - len(ids))
