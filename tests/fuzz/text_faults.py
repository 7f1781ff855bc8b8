"""Operators that damage markup and lists: XML, sentences with phrases, a name a line."""

import re
from collections.abc import Callable
from random import Random

from tests.fuzz.odd_values import NAMES, NUMBERS, TEXTS

Operator = Callable[[Random, str], str]

_TAG = re.compile(r"<[^<>]*>")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PHRASE = re.compile(r"\[/EN#[^\]]*\]|\[/EN#|#\d+|/\w+|\]")
_WORD = re.compile(r"\w+")


def _at(chance: Random, text: str, pattern: re.Pattern[str], new: Callable[[str], str]) -> str:
    """Return the text with one match of a pattern replaced."""
    there = list(pattern.finditer(text))
    if not there:
        return text
    match = chance.choice(there)
    return text[: match.start()] + new(match[0]) + text[match.end() :]


def _tag(chance: Random, text: str) -> str:
    change = chance.choice(
        [
            lambda _: "",
            lambda tag: tag * 2,
            lambda tag: tag[:-1],
            str.upper,
            lambda tag: tag * 5_000,
        ]
    )
    return _at(chance, text, _TAG, change)


def _entity(chance: Random, text: str) -> str:
    """Declare entities: a bomb, a file, a server."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    declared = chance.choice(
        [
            f'<!DOCTYPE a [<!ENTITY e0 "boom">{levels}]>',
            '<!DOCTYPE a [<!ENTITY e11 SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE a [<!ENTITY e11 SYSTEM "http://127.0.0.1:9/x">]>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
            '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
            f'<!DOCTYPE a [<!ENTITY e11 "{"x" * 100_000}">]>',
            '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>', '<?xml version="1.1" encoding="UTF-7"?>',
            '<?xml encoding="nope"?>',
        ]
    )  # fmt: skip
    used = "&e11;" * chance.choice([1, 1, 1_000])
    return declared + _at(chance, text, re.compile(r"</name>"), lambda tag: used + tag)


def _deep(chance: Random, text: str) -> str:
    depth = chance.choice([50, 2_000, 100_000])
    return _at(
        chance, text, _TAG, lambda tag: "<a>" * depth + tag + "</a>" * chance.choice([0, depth])
    )


def _number(chance: Random, text: str) -> str:
    return _at(chance, text, _NUMBER, lambda _: str(chance.choice(NUMBERS)))


def _phrase(chance: Random, text: str) -> str:
    odd = [
        "",
        "[/EN#",
        "]",
        "[/EN#0/notvisual x]",
        "[/EN#9999999999/people x]",
        "[/EN#1",
        "[" * 5_000,
        "[/EN#1/a [/EN#2/b c]]",
    ]
    return _at(chance, text, _PHRASE, lambda _: chance.choice(odd))


def _word(chance: Random, text: str) -> str:
    return _at(chance, text, _WORD, lambda _: chance.choice(TEXTS))


def _name(chance: Random, text: str) -> str:
    return _at(chance, text, re.compile(r"[^\n<>]+"), lambda _: chance.choice(NAMES))


OPERATORS: dict[str, Operator] = {
    "tag": _tag,
    "entity": _entity,
    "nested deep": _deep,
    "odd number": _number,
    "odd phrase": _phrase,
    "odd text": _word,
    "odd path": _name,
}
