"""A damaged file, made of a whole one by a few operators that a seed chooses."""

import json
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tests.fuzz import byte_faults, json_faults, pickle_faults, text_faults

BYTES_SHARE = 0.3  # of operators that know nothing of the format


class Mutation(NamedTuple):
    """A damaged file, with the names of the operators that damaged it, in order."""

    content: bytes
    operators: tuple[str, ...]


def mutate(
    content: bytes, suffix: str, chance: Random, others: Sequence[bytes] = (), made: str = ""
) -> Mutation:
    """Return a damaged file.

    Args:
        content: the whole file.
        suffix: the ending of its name, which tells the format: `.json`, `.jsonl`, `.p`, ...
        chance: the generator of all choices.
        others: the content of other files, to splice with.
        made: the path of the file that a hostile one would make.
    """
    names: list[str] = []
    for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
        changed, name = _step(Mutation(content, tuple(names)), suffix, chance, others, made)
        if changed != content:
            content = changed
            names.append(name)
    return Mutation(content, tuple(names))


def _step(
    before: Mutation, suffix: str, chance: Random, others: Sequence[bytes], made: str
) -> tuple[bytes, str]:
    content = before.content
    if chance.random() >= BYTES_SHARE:
        if suffix == ".p":
            return _pickled(content, chance, made, whole=not before.operators)
        if suffix == ".jsonl":
            return _in_a_line(content, chance)
        if suffix == ".json":
            return _in_json(content, chance)
        if (text := _decoded(content)) is not None:
            name = chance.choice(list(text_faults.OPERATORS))
            return text_faults.OPERATORS[name](chance, text).encode("utf-8", "surrogatepass"), name
    name = chance.choice(list(byte_faults.OPERATORS))
    return byte_faults.OPERATORS[name](chance, content, others), name


def _decoded(content: bytes) -> str | None:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def _in_json(content: bytes, chance: Random) -> tuple[bytes, str]:
    try:
        document = json.loads(content)
        for _ in range(4):
            name = chance.choice(list(json_faults.OPERATORS))
            if json_faults.OPERATORS[name](chance, document):
                ascii_only = chance.random() < 0.7
                return json_faults.encode(document, ascii_only=ascii_only), name
    except (ValueError, RecursionError):  # an earlier operator's doing
        pass
    return content, ""


def _in_a_line(content: bytes, chance: Random) -> tuple[bytes, str]:
    lines = content.split(b"\n")
    where = chance.randrange(len(lines))
    lines[where], name = _in_json(lines[where], chance)
    return b"\n".join(lines), name


def _pickled(content: bytes, chance: Random, made: str, *, whole: bool) -> tuple[bytes, str]:
    """Damage a pickle; only a whole one, which is our own, is ever loaded for that."""
    names = [name for name in pickle_faults.OPERATORS if whole or name not in pickle_faults.LOADING]
    name = chance.choice(names)
    return pickle_faults.OPERATORS[name](chance, content, made), name
