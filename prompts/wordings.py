"""Sets of wordings: several forms of one request, chosen by hash, replaceable by the user.

A wording holds each placeholder of its set exactly once (`<region>`, `<categories>`), and no
other tag: text in angle brackets would be replaced by the build, or obeyed by a model.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256

from schemas.errors import UsageError
from schemas.ids import pick

_TAG = re.compile(r"<[^<>]*>")
_RESERVED = re.compile(r"#{3,}|</?s>|\b(USER|ASSISTANT|Human|Assistant):")


@dataclass(frozen=True, slots=True)
class WordingSet:
    """Interchangeable wordings of one request."""

    name: str
    placeholders: tuple[str, ...]
    wordings: tuple[str, ...]

    def choose(self, position: int) -> tuple[str, str]:
        """Return the wording at which a rank points, and its id."""
        wording = pick(self.wordings, position)
        return wording, _prompt_id(self.name, wording)

    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of the wordings in their order."""
        return sha256("\n".join(self.wordings).encode()).hexdigest()

    def replaced(self, wordings: Sequence[str]) -> "WordingSet":
        """Return the set with other wordings; raise `UsageError` where a wording is unfit."""
        for problem in problems(self.placeholders, wordings):
            raise UsageError(f"wordings set {self.name!r}: {problem}")
        return WordingSet(self.name, self.placeholders, tuple(wordings))


@lru_cache(maxsize=4096)
def _prompt_id(name: str, wording: str) -> str:
    return f"{name}/{blake2b(wording.encode(), digest_size=4).hexdigest()}"


def problems(placeholders: Sequence[str], wordings: Sequence[str]) -> list[str]:
    """Return the faults of a list of wordings for a set with given placeholders, a line each."""
    faults = [] if wordings else ["it is empty; give at least one wording"]
    for wording in wordings:
        tags = sorted(_TAG.findall(wording))
        if tags != sorted(placeholders):
            expected = ", ".join(placeholders) or "none"
            faults.append(f"expected once each of: {expected}; found {tags} in {wording!r}")
        if reserved := _RESERVED.search(wording):
            faults.append(f"{reserved.group()!r} belongs to the chat templates; in {wording!r}")
        if set("<>") & set(_TAG.sub("", wording)):
            faults.append(f"an angle bracket outside a placeholder, in {wording!r}")
        if wording != " ".join(wording.split()) or not wording.isprintable():
            faults.append(f"line breaks, stray blanks or invisible characters in {wording!r}")
    repeated = {wording for wording in wordings if list(wordings).count(wording) > 1}
    faults += [f"given more than once: {wording!r}" for wording in sorted(repeated)]
    return faults


def replace_sets(
    table: Mapping[str, WordingSet], replacements: Mapping[str, Sequence[str]]
) -> dict[str, WordingSet]:
    """Return the table with some sets replaced; raise `UsageError` for an unknown name."""
    unknown = sorted(set(replacements) - set(table))
    if unknown:
        raise UsageError(f"no wordings set {unknown[0]!r}; the sets are: {', '.join(table)}")
    return {
        name: known.replaced(replacements[name]) if name in replacements else known
        for name, known in table.items()
    }
