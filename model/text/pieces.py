"""A tokenizer that encodes text piece by piece, so that the pieces' ids join to those of the whole.

A tokenizer of transformers treats every text as the start of a sequence: it may put a BOS token and
a dummy space before it (Llama's does both), and it obeys special tokens wherever it reads them.
Here the same vocabulary is used without these habits. It is a copy of the tokenizer, changed in its
JSON form, so nothing has to be guessed from the ids of a whole text.

    "a red star</s>" as the tokenizer reads it:  <s> ▁a ▁red ▁star </s>
    as a piece of data:                          a ▁red ▁star < / s >
"""

import json
import re
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from schemas.errors import UsageError

Json = dict[str, Any]

_MOST_KNOWN, _LONGEST_KNOWN = 10_000, 200  # pieces whose ids are kept; characters of such a piece


class PieceEncoder:
    """Encodes pieces of text with the vocabulary of a tokenizer.

    A mark is an added token with visible characters: `</s>`, `<|im_end|>`, `<think>`. Pieces never
    become marks, whatever their text.

    Attributes:
        marks: the id of each mark.
        bos: the id of the BOS mark; None: the tokenizer has none.
        beginning: what the tokenizer puts before a whole text: the BOS or nothing.
        begins_with_space: whether the tokenizer puts a dummy space before a whole text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        kind = type(tokenizer).__name__
        if not isinstance(backend, Tokenizer):
            raise UsageError(f"{kind} has no tokenizer.json: use a tokenizer of `tokenizers`")
        state: Json = json.loads(backend.to_str())
        if (model := state["model"]["type"]) != "BPE":
            raise UsageError(f"{kind} is a {model} tokenizer, expected byte pair encoding (BPE)")
        blanks = [token for token in state["added_tokens"] if token["content"].isspace()]
        added = [token for token in state["added_tokens"] if token not in blanks]
        self.marks: dict[str, int] = {token["content"]: token["id"] for token in added}
        self.bos: int | None = tokenizer.bos_token_id
        self.beginning = [number for number in tokenizer("").input_ids[:1] if number == self.bos]
        self._pattern = _pattern(added := sorted(added, key=_length, reverse=True))
        self._numbers = [token["id"] for token in added]
        normalizer, prepends = _without_prefix(state["normalizer"])
        pre_tokenizer, spaces = _without_prefix(state["pre_tokenizer"])
        self.begins_with_space = prepends or spaces
        state |= {
            "truncation": None,
            "padding": None,
            "added_tokens": blanks,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "model": _without_marks(state["model"], set(self.marks), blanks),
        }
        self._tokenizer = Tokenizer.from_str(json.dumps(state))
        self._known: dict[
            str, tuple[int, ...]
        ] = {}  # pieces that come again and again, as wordings

    def encode(self, text: str, *, first: bool = False) -> list[int]:
        """Return the ids of a piece of text.

        Args:
            text: the piece, with the blanks that part it from the piece before.
            first: no text stands before the piece, so it gets the tokenizer's dummy space.
        """
        if first and self.begins_with_space and text and not text.startswith(" "):
            text = f" {text}"
        if (known := self._known.get(text)) is not None:
            return list(known)
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if len(self._known) < _MOST_KNOWN and len(text) <= _LONGEST_KNOWN:
            self._known[text] = tuple(ids)
        return ids

    def split(self, text: str) -> list[str | int]:
        """Return text that a template has written, parted into its words and the ids of its marks.

        `"<|im_start|>user\\n"` becomes `["", 151644, "user\\n"]`.
        """
        parts: list[str | int] = []
        while (mark := self.first_mark(text)) is not None:
            start, number, end = mark
            parts += [text[:start], number]
            text = text[end:]
        return [*parts, text]

    def first_mark(self, text: str) -> tuple[int, int, int] | None:
        """Return start, id and end of the first mark in a template's text; None: it has none."""
        match = self._pattern.search(text)
        if match is None:
            return None
        assert match.lastindex  # each mark is a group
        return match.start(), self._numbers[match.lastindex - 1], match.end()


def _length(token: Json) -> int:
    return len(token["content"])


def _pattern(added: list[Json]) -> re.Pattern[str]:
    """Return the pattern of marks, a group each, with the blanks that are dropped beside them."""
    alternatives = [
        (r"\s*" if token["lstrip"] else "")
        + f"({re.escape(token['content'])})"
        + (r"\s*" if token["rstrip"] else "")
        for token in added
    ]
    return re.compile("|".join(alternatives) or "(?!)")  # without marks it matches nothing


def _without_prefix(part: Json | None) -> tuple[Json | None, bool]:
    """Return a normaliser or pre-tokenizer without its dummy space, and whether it had one."""
    if part is None or part["type"] == "Prepend":
        return None, part is not None
    if part["type"] == "Sequence":
        key = "normalizers" if "normalizers" in part else "pretokenizers"
        inner = [_without_prefix(step) for step in part[key]]
        steps = [step for step, _ in inner if step is not None]
        return {**part, key: steps}, any(had for _, had in inner)
    if part["type"] == "Metaspace":
        return {**part, "prepend_scheme": "never"}, part["prepend_scheme"] != "never"
    if part.get("add_prefix_space"):
        return {**part, "add_prefix_space": False}, True
    return part, False


def _without_marks(model: Json, marks: set[str], blanks: list[Json]) -> Json:
    """Return a BPE model that cannot build a mark from its letters.

    Llama's can: its vocabulary holds `</s>` and, in some files, a merge of `</` and `s>`. Added
    tokens of blanks join the vocabulary, as only so they keep their ids.
    """
    merges = [pair for pair in model["merges"] if "".join(pair) not in marks]
    dropped = marks - {model["unk_token"]}
    vocabulary = {word: number for word, number in model["vocab"].items() if word not in dropped}
    vocabulary |= {token["content"]: token["id"] for token in blanks}
    return {**model, "merges": merges, "vocab": vocabulary}
