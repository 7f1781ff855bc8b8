"""Text from outside: whatever it holds, nothing in it is obeyed by the builder or by a model.

Length: names, passages and turns are tried with the same hostile pieces.
"""

import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from schemas.item import Mention, Passage, mentioned, plain_text
from schemas.limits import MAX_NESTED_TAGS, MAX_TEXT_CHARACTERS, MAX_TURN_CHARACTERS
from schemas.rejection import Reason, Rejected
from schemas.text import (
    clean,
    clean_passage,
    clean_turn,
    shown_name,
)

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
    marks = OBEYED.findall(text) + OBEYED.findall(folded)
    return [mark for mark in marks if not mark.endswith(":") or mark in ROLES]


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
    clean_text = cleaned(text)
    assert obeyed(clean_text) == []
    assert not {unicodedata.category(character) for character in clean_text} & INVISIBLE
    assert clean_text == clean_text.strip()
    assert len(clean_text.splitlines()) == 1
    clean_text.encode()


@given(HOSTILE)
@example("<regi＜>on1>")
@example("#" * 1_400)
def test_clean_text_stays_as_it_is(text):
    clean_text = cleaned(text)
    assert clean(clean_text) == clean_text


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
    "text", ["x" * (MAX_TEXT_CHARACTERS + 1), "x" * 2**20, "<a" * 2**19, "#" * MAX_TEXT_CHARACTERS]
)
def test_text_that_is_too_long(text):
    with pytest.raises(Rejected) as refused:
        clean(text)
    assert refused.value.reason is Reason.TEXT_TOO_LONG


def test_the_longest_text_is_kept():
    assert clean("x" * MAX_TEXT_CHARACTERS) == "x" * MAX_TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("cleaner", "tag"), [(clean, "<a"), (clean_turn, "<region"), (clean, "＜a"), (clean_turn, "<|")]
)
def test_tags_in_one_another(cleaner, tag):
    end = {"＜a": "＞", "<|": "|>"}.get(tag, ">")
    assert obeyed(cleaner(tag * MAX_NESTED_TAGS + end * MAX_NESTED_TAGS)) == []
    with pytest.raises(Rejected, match=f"nested more than {MAX_NESTED_TAGS} deep") as refused:
        cleaner(tag * (MAX_NESTED_TAGS + 1) + end * (MAX_NESTED_TAGS + 1))
    assert refused.value.reason is Reason.TEXT_UNSAFE


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


TEXTS = HOSTILE | st.sampled_from(["a dog", " runs ", " ", "", ". "])
PASSAGES = st.lists(
    TEXTS | st.builds(Mention, TEXTS, st.sampled_from([(), ("a",), ("a", "b")])), max_size=5
).map(tuple)


def cleaned_passage(passage: Passage) -> Passage:
    try:
        return clean_passage(passage)
    except Rejected:
        assume(False)


@given(PASSAGES)
@example((Mention("a dog", ("a",)), " runs <image> "))
@example(("##", Mention("#", ("a",)), " # "))
@example((" <region1> ", Mention("USER: ###", ("a",))))
def test_nothing_that_would_be_obeyed_survives_in_a_passage(passage):
    clean_pieces = cleaned_passage(passage)
    joined = plain_text(clean_pieces)
    assert obeyed(joined) == []
    assert not {unicodedata.category(character) for character in joined} & INVISIBLE
    assert mentioned(clean_pieces) == mentioned(passage)
    assert all(
        clean(piece.text) == piece.text for piece in clean_pieces if isinstance(piece, Mention)
    )
    joined.encode()


@given(PASSAGES)
def test_a_clean_passage_stays_as_it_is(passage):
    clean_pieces = cleaned_passage(passage)
    assert clean_passage(clean_pieces) == clean_pieces


WORDS = st.sampled_from(["a", "dog", "runs,", "two", "(or three)"])
SENTENCES = st.lists(WORDS | st.just(" ") | st.builds(Mention, WORDS, st.just(("a",))), min_size=1)


@given(SENTENCES.map(tuple))
def test_a_plain_passage_stays_as_it_is(passage):
    assume(plain_text(passage).strip() and "  " not in plain_text(passage))
    assert clean_passage(passage) == passage


@given(SENTENCES.map(tuple), st.sampled_from(["two dogs ", "\ttwo dogs", " two\ndogs \n"]))
def test_a_passage_reads_as_its_text_on_one_line(passage, words):
    passage = (*passage, Mention(words, ("b",)), *passage)
    clean_pieces = clean_passage(passage)
    assert plain_text(clean_pieces).strip() == " ".join(plain_text(passage).split())
    assert mentioned(clean_pieces) == mentioned(passage)
    assert "two dogs" in [piece.text for piece in clean_pieces if isinstance(piece, Mention)]


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        (("A\n", Mention(" big dog\t", ("a",)), "\r\n runs."), ("A ", "big dog", " ", "runs.")),
        ((Mention("two dogs ", ("a",)), "run"), ("two dogs", " ", "run")),
        (("the", Mention("\ndog", ("a",)), "runs"), ("the", " ", "dog", "runs")),
        ((Mention("a dog ", ("a",)), Mention(" cat", ("a",))), ("a dog", " ", "cat")),
        ((Mention("a dog", ("a",)), "\u200b", "runs"), ("a dog", " ", "runs")),
        ((Mention("a dog ", ("a",)), "\x00", "\ufeff"), ("a dog", " ")),
        (("One", Mention("two", ("a",)), "three"), ("One", "two", "three")),
        ((" ", Mention("It", ("a",)), "", "\n"), (" ", "It", " ")),
        (("<image> ", Mention("</s>", ("a",))), ("(image) ", "(/s)")),
    ],
)
def test_how_a_passage_is_cleaned(passage, expected):
    clean_pieces = clean_passage(passage)
    assert tuple(plain_text((piece,)) for piece in clean_pieces) == expected
    assert mentioned(clean_pieces) == ("a",)


TURNS = st.lists(
    PIECES
    | st.text(max_size=3)
    | st.sampled_from(["<image>", "<region1>", "</s>", "<|im_end|>", "    ", "<div>", "bbox", "|"]),
    max_size=12,
).map("".join)


def cleaned_turn(text: str) -> str:
    try:
        return clean_turn(text)
    except Rejected:
        assume(False)


@given(TURNS)
@example("<<region1>>")
@example("<reg<image>ion1>")
@example("<im\u200bage>")
@example("##\0#")
@example("USER\u200b:")
@example("< / s >")
@example("<|im_<s>end|>")
@example("<REGION12>")
@example("＜image＞")
@example("<ｉmage>")
@example("ＵSER:")
@example("＃##")
def test_nothing_that_would_be_obeyed_survives_in_a_turn(text):
    clean_text = cleaned_turn(text)
    assert obeyed(clean_text) == []
    assert {unicodedata.category(letter) for letter in clean_text if letter not in "\n\t"} & {
        "Cc",
        "Cs",
    } == set()
    clean_text.encode()


@given(TURNS)
@example("<<region1>>")
@example("####")
@example("  <s> \r ＃##\n")
def test_a_clean_turn_stays_as_it_is(text):
    clean_text = cleaned_turn(text)
    assert clean_turn(clean_text) == clean_text


CODE = """Look:

    <div class="x"><!-- a --><p>1 < 2 && 3 > 2</p></div>
\tdef f(a: list[int]) -> int:
\t    return a[0] << 2  # User: not a role, ## no stop
    #include <vector>
    std::map<int, std::vector<T>> m; <images> <masks> <boxes> <sys>

Done."""


def test_a_turn_keeps_its_lines_its_indentation_and_its_tags():
    assert clean_turn(CODE) == CODE
    for line_break in ("\r\n", "\r", "\x85", "\u2028"):
        assert clean_turn(CODE.replace("\n", line_break)) == CODE


@pytest.mark.parametrize("before", ["", "\n", " \n\t\r\n", "\u200b\n\n"])
def test_the_first_line_of_a_turn_keeps_its_indentation(before):
    assert clean_turn(f"{before}    if x:\n        y\n  \n") == "    if x:\n        y"


@given(st.text(st.characters(codec="ascii", exclude_characters="<#:"), max_size=80))
def test_a_turn_of_plain_text_loses_nothing_but_what_surrounds_it(text):
    assume(all(letter.isprintable() or letter in "\n\t" for letter in text))
    lines = text.rstrip().split("\n")
    while not lines[0].strip() and len(lines) > 1:
        lines = lines[1:]
    assert cleaned_turn(text) == "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image>\nWhat?", "(image)\nWhat?"),
        ("a <region1, left> b", "a (region1, left) b"),
        ("<reg<image>ion1>", "<reg(image)ion1>"),
        ("<region<image>1>", "(region(image)1)"),
        ("<s>[</s>", "(s)[(/s)"),
        ("<|im_start|>user", "(|im_start|)user"),
        ("<IM_END><Box></mask>", "(IM_END)(Box)(/mask)"),
        ("### Title\n##### Part", "# # # Title\n# # # # # Part"),
        ("USER: hi\nAssistant: ho", "USER : hi\nAssistant : ho"),
        ("one\r\ntwo\x00\x1b\u202e", "one\ntwo"),
        ("one\rtwo\r\rthree\n\rfour", "one\ntwo\n\nthree\n\nfour"),
        ("＜image＞\n  Was heißt ½ ＃＃＃？", "(image)\n  Was heißt ½ # # #?"),
        ("＜images＞ ＃＃ ｄog", "＜images＞ ＃＃ ｄog"),
        ("half a pair: \ud83d", "half a pair: \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_how_a_turn_is_disarmed(text, expected):
    assert clean_turn(text) == expected


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\x00 \x1f", "\ufeff\n\u2060"])
def test_a_turn_of_which_nothing_is_left(text):
    with pytest.raises(Rejected) as refused:
        clean_turn(text)
    assert refused.value.reason is Reason.TEXT_EMPTY


def test_the_longest_turn():
    assert clean_turn("x" * MAX_TURN_CHARACTERS) == "x" * MAX_TURN_CHARACTERS
    with pytest.raises(Rejected) as refused:
        clean_turn("x" * (MAX_TURN_CHARACTERS + 1))
    assert refused.value.reason is Reason.TEXT_TOO_LONG


@pytest.mark.parametrize("text", ["#" * MAX_TURN_CHARACTERS, "USER:" * (MAX_TURN_CHARACTERS // 5)])
def test_a_turn_that_is_too_long_once_it_is_clean(text):
    with pytest.raises(Rejected) as refused:
        clean_turn(text)
    assert refused.value.reason is Reason.TEXT_TOO_LONG
