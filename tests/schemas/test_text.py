"""Text from outside: whatever it holds, nothing in it is obeyed by the builder or by a model."""

import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from schemas.rejection import Reason, Rejected
from schemas.text import MAX_CHARACTERS, clean, shown_name

# What a tokenizer that folds wide letters, a template, or a reader of the record could take for
# its own. A region's tag is read as generously as `schemas.check` reads it.
OBEYED = re.compile(
    r"<image>|<region[^<>]*>|</?s>|<\|[a-z_]\w*\|>|#{3}|(?:USER|ASSISTANT|SYSTEM|Human|Assistant):",
    re.IGNORECASE,
)
ROLES = ("USER:", "ASSISTANT:", "SYSTEM:", "Human:", "Assistant:")
INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}

PIECES = st.sampled_from(
    [
        *("<", ">", "</", "<|", "|>", "< ", " >", "＜", "＞", "﹤", "﹥", "<<", ">>", "&lt;"),
        *("region", "Region", "REGION", "ｒegion", "reg", "ion", "1", "１", "²", "0" * 60),
        *("image", "IMAGE", "ımage", "𝐢mage", "im", "age", "s", "im_end", "_", ",", "left"),
        *("#", "##", "＃", "﹟", "USER", "ＵSER", "ASSISTANT", "SYSTEM", "Human", "Assistant"),
        *(":", "：", "﹕", "⩴", " ", "\n", "\r", "\t", "\0", "\x1b", "\x85", "\xa0", "\xad"),
        *("\u200b", "\u200d", "\u2028", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\ud800"),
        *("\u0301", "\u0338", "é", "車", "(", ")", "[", "]"),
    ]
)
HOSTILE = st.one_of(
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join),
)


def cleaned(text: str) -> str:
    """The clean text; one of which nothing is left is no example of what is tested."""
    try:
        return clean(text)
    except Rejected:
        assume(False)


def obeyed(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text)
    found = OBEYED.findall(text) + OBEYED.findall(folded)
    return [mark for mark in found if not mark.endswith(":") or mark in ROLES]


@given(HOSTILE)
@example("<<region1>>")
@example("<reg<image>ion1>")
@example("<re<re<region1>gion1>gion1>")
@example("<region1\u200b>")
@example("< region1 >")
@example("＜region1＞")
@example("<region1, left>")
@example(f"<region{'0' * 60}1>")
@example("_USER:")
@example("USER：")
@example("#＃#")
@example("##\u200b#")
def test_nothing_that_would_be_obeyed_survives(text):
    found = cleaned(text)
    assert obeyed(found) == []
    assert not {unicodedata.category(character) for character in found} & INVISIBLE
    assert found == found.strip()
    assert len(found.splitlines()) == 1
    found.encode()


@given(HOSTILE)
@example("<regi＜>on1>")
@example("#" * 1_400)
def test_clean_text_stays_as_it_is(text):
    found = cleaned(text)
    assert clean(found) == found


@given(st.lists(HOSTILE, min_size=2, max_size=4))
@example(["<region1", "left>"])
@example(["</", "s>"])
def test_clean_texts_side_by_side_make_no_tag(texts):
    assert obeyed(", ".join(map(cleaned, texts))) == []


PLAIN = st.text(st.characters(max_codepoint=126, exclude_characters="<"), max_size=60)


@given(PLAIN)
@example("1 < 2 > 1, a->b, <3, x >= y, <1>")
@example("## not yet ##: a (b) [c] {d}")
@example("User: human: USER :")
def test_plain_text_only_loses_blanks(text):
    assume("###" not in text and not any(role in text for role in ROLES))
    assume(text.isprintable())
    assert cleaned(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<region1>", "(region1)"),
        ("<IMAGE>", "(IMAGE)"),
        ("<reg<image>ion1>", "(reg(image)ion1)"),
        ("<region1, left>", "(region1, left)"),
        ("a </s> b", "a (/s) b"),
        ("a < b", "a < b"),
        ("a <b", "a < b"),
        ("<|im_start|>user", "(|im_start|)user"),
        ("###", "# # #"),
        ("USER: hi", "USER : hi"),
        ("two\r\n lines\tand\x00more ", "two lines and more"),
        ("left\u200bright\u2028below", "left right below"),
        ("half a pair: \ud83d", "half a pair: \N{REPLACEMENT CHARACTER}"),
        ("Café “Ünal” ½ 車 №1", "Café “Ünal” ½ 車 №1"),
    ],
)
def test_how_text_is_disarmed(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b", "\x00\x1f", "\xad", "\ufeff\u2060"])
def test_text_of_which_nothing_is_left(text):
    with pytest.raises(Rejected) as refused:
        clean(text)
    assert refused.value.reason is Reason.TEXT_EMPTY


@pytest.mark.parametrize(
    "text", ["x" * (MAX_CHARACTERS + 1), "x" * 2**20, "<a" * 2**19, "#" * MAX_CHARACTERS]
)
def test_text_that_is_too_long(text):
    with pytest.raises(Rejected) as refused:
        clean(text)
    assert refused.value.reason is Reason.TEXT_TOO_LONG


def test_the_longest_text_is_kept():
    text = ("<a" * MAX_CHARACTERS)[: MAX_CHARACTERS // 4] + ">" * (MAX_CHARACTERS // 4)
    assert obeyed(clean(text)) == []
    assert clean("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("traffic_light", "traffic light"),
        ("dining__table_", "dining table"),
        ("hair drier", "hair drier"),
        ("<region_1>", "(region 1)"),
        ("_USER:_", "USER :"),
        ("crème_brûlée", "crème brûlée"),
    ],
)
def test_a_shown_name(category, expected):
    assert shown_name(category) == expected


@pytest.mark.parametrize("category", ["", "_", "__ _"])
def test_a_name_of_nothing_but_underscores(category):
    with pytest.raises(Rejected, match="text_empty"):
        shown_name(category)
