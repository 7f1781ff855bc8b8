"""The patterns of class names are compiled once, not again for each caption."""

import re

import pytest

from transforms.caption_checks import CaptionedRegion, accept_caption

CLASSES = [f"{colour} thing {number}" for colour in ("red", "blue") for number in range(200)]


def accepted() -> list[str]:
    texts = []
    for index, name in enumerate(CLASSES):
        others = (CLASSES[index - 1], CLASSES[index - 2])
        region = CaptionedRegion(class_name=name, others=others)
        texts.append(accept_caption("A shiny widget stands on a wooden table.", "stop", region))
    return texts


def test_no_caption_compiles_what_an_earlier_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    first = accepted()

    def compile_again(pattern: object, *_: object) -> None:
        raise AssertionError(f"compiled again: {pattern!r}")

    monkeypatch.setattr(re, "_compiler", type("Compiler", (), {"compile": compile_again}))
    assert accepted() == first
