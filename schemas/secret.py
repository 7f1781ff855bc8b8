"""A secret in texts: replaced by `[key]` where it stands whole, in part, encoded or abridged.

Servers repeat the key of a request in their errors, and some abridge it: "Incorrect API key
provided: sk-abc12***wxyz". A model may repeat it, too.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

MASK = "[key]"
_LEAST = 6  # characters: what is shorter is no secret, and may be part of any word
_PART = 8  # characters of a secret's beginning or end that are masked alone
_WORD = re.compile(r"[A-Za-z]?[a-z]+")  # a part that may be a word of a text
_LEFT_OUT = re.compile(r"\*{2,}|\.{3,}|\u2026|[xX]{4,}")  # in the middle of an abridged key
_LEAST_END = 4  # characters of a key beside it


class Secret:
    """A secret, which can be masked in any number of texts."""

    def __init__(self, value: str) -> None:
        self._value = value
        self._forms = sorted(_forms(value), key=len, reverse=True)
        begin, end = value[:_PART], value[-_PART:]
        self._is_long = len(value) > _PART
        self._begin = "" if _WORD.fullmatch(begin) else begin
        self._end = "" if _WORD.fullmatch(end) else end

    def masked(self, text: str) -> str:
        """Return a text without the secret.

        >>> Secret("sk-abc123def456").masked("no such key: sk-abc12****456")
        'no such key: [key]'
        """
        if len(self._value) < _LEAST:
            return text
        for form in self._forms:
            text = text.replace(form, MASK)
        if self._is_long:
            if self._begin and self._begin in text:
                text = self._without_beginnings(text)
            if self._end and self._end in text:
                text = self._without_ends(text)
        return self._without_abridged(text)

    def _without_beginnings(self, text: str) -> str:
        pieces = text.split(self._begin)
        rest = self._value[_PART:]
        return MASK.join([pieces[0], *(piece[_common(piece, rest) :] for piece in pieces[1:])])

    def _without_ends(self, text: str) -> str:
        pieces = text.split(self._end)
        rest = self._value[-_PART - 1 :: -1]  # what precedes, read backwards
        kept = [piece[: len(piece) - _common(piece[::-1], rest)] for piece in pieces[:-1]]
        return MASK.join([*kept, pieces[-1]])

    def _without_abridged(self, text: str) -> str:
        kept, done, most = [], 0, len(self._value)
        for match in _LEFT_OUT.finditer(text):
            before = text[max(done, match.start() - most) : match.start()]
            after = text[match.end() : match.end() + most]
            begin = self._beginning_at_end(before)
            end = self._end_at_beginning(after)
            if begin or end:
                kept.append(text[done : match.start() - begin])
                done = match.end() + end
        return MASK.join([*kept, text[done:]])

    def _beginning_at_end(self, text: str) -> int:
        """Return with how many characters of the secret's beginning a text ends, 0 if with few."""
        if self._value[:_LEAST_END] not in text:
            return 0
        lengths = range(len(text), _LEAST_END - 1, -1)
        return next((n for n in lengths if text.endswith(self._value[:n])), 0)

    def _end_at_beginning(self, text: str) -> int:
        """Return with how many characters of the secret's end a text begins, 0 if with few."""
        if self._value[-_LEAST_END:] not in text:
            return 0
        lengths = range(len(text), _LEAST_END - 1, -1)
        return next((n for n in lengths if text.startswith(self._value[-n:])), 0)


@lru_cache(maxsize=64)
def secret(value: str) -> Secret:
    """Return the secret of a value."""
    return Secret(value)


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as it is, in an address, in JSON with escaped slashes, and within base64."""
    yield value
    yield quote(value, safe="")
    yield value.replace("/", "\\/")
    content = value.encode()
    for before in range(3):  # bytes in front of it, modulo three, as of "Bearer "
        encoded = b64encode(bytes(before) + content).decode().rstrip("=")
        # The first characters also hold what stands before it, and the last one what follows.
        inner = encoded[(before * 8 + 5) // 6 : (before + len(content)) * 8 // 6]
        if len(inner) >= _LEAST:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


def _common(first: str, second: str) -> int:
    """Return the length of the common beginning of two texts."""
    length = 0
    for mine, other in zip(first, second, strict=False):
        if mine != other:
            break
        length += 1
    return length
