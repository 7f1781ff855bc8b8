"""The tokens of captions against those of the published scorer's Java tokenizer."""

import hashlib
import json
from pathlib import Path

import pytest

from train.evaluation.metrics.tokens import PUNCTUATION, tokens

GOLDEN = json.loads(Path(__file__).with_name("golden_captions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), GOLDEN["tokens"].items())
def test_sentences_split_as_the_published_tokenizer_splits_them(text, expected) -> None:
    assert tokens(text) == expected.split()


def test_real_phrases_split_as_the_published_tokenizer_splits_them() -> None:
    assert [tokens(text) for text, _ in GOLDEN["phrases"]] == [
        expected.split() for _, expected in GOLDEN["phrases"]
    ]


@pytest.mark.parametrize("name", GOLDEN["files"])
def test_all_real_sentences_split_so(name, samples) -> None:
    path = samples / "refcoco" / "minigpt4_eval" / f"{name}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    text = "\n".join(" ".join(tokens(row["sents"])) for row in rows)
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN["files"][name]["tokens_sha256"]


def test_the_list_of_marks_is_the_published_one() -> None:
    assert len(PUNCTUATION) == 17
    assert tokens("(a) ''b'' ``c`` red...") == ["-lrb-", "a", "-rrb-", "b", "c", "red"]


@pytest.mark.parametrize("text", ["", " \t\n", "...", "'", "\ud800", "\x00\x85\u2028"])
def test_text_without_words_has_no_tokens(text) -> None:
    assert tokens(text) == []


def test_no_token_holds_a_blank_or_the_separator_of_meteor() -> None:
    found = tokens('a <b class="x y"> ||| (555) 1 1/2 \u00a0 \u3000 x\u200by')
    assert [token for token in found if token.split() != [token] or "||" in token] == []


@pytest.mark.parametrize("piece", ["'", "a-", "a.", "<a", "a_", "1,", "#", "é'"])
def test_long_text_takes_time_in_proportion(piece) -> None:
    assert tokens(piece * 20_000) is not None  # minutes if a pattern backtracks
