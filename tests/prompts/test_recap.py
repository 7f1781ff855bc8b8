"""What a captioner is asked: four forms of a question about a crop, and one about a picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import recap as recap_prompts
from prompts.catalog import WORDING_SETS
from prompts.recap import (
    ENDING,
    GLOBAL,
    REGION,
    REGION_ALONE,
    REGION_WITHOUT_CLASS,
    REGION_WITHOUT_GLOBAL,
    SETS,
)
from prompts.recap_request import RegionRequest, global_prompt, region_prompt
from prompts.wordings import replace_sets
from schemas.ids import RANK_BITS, Hasher
from schemas.text import clean

POSITIONS = st.integers(0, 2**RANK_BITS - 1)
CAPTION = "A kitchen with two dogs."
OF_REGION = f" {ENDING.wordings[0]}".replace("<subject>", "the object")
OF_IMAGE = OF_REGION.replace("the object", "the scene")


def request(caption, name):
    return RegionRequest(global_caption=caption, class_name=name)


@pytest.mark.parametrize("wordings", SETS, ids=lambda wordings: wordings.name)
def test_every_set_is_in_the_table_and_has_ten_wordings_or_more(wordings):
    assert WORDING_SETS[wordings.name] is wordings
    assert len(set(wordings.wordings)) == len(wordings.wordings) >= 10


@pytest.mark.parametrize("wordings", SETS, ids=lambda wordings: wordings.name)
@given(position=POSITIONS)
def test_half_way_round_the_ranks_lies_another_wording(wordings, position):
    half = 2 ** (RANK_BITS - 1)
    assert wordings.choose(position) != wordings.choose((position + half) % (2 * half))


@pytest.mark.parametrize("wording", REGION.wordings + REGION_WITHOUT_CLASS.wordings)
def test_the_caption_of_the_picture_stands_at_the_beginning(wording):
    before, after = wording.split("<global>")
    assert len(before) < 80
    assert before.endswith(" ")
    assert "<class>" not in before
    assert after.startswith(" ")
    assert after.lstrip()[0].isupper()


@given(POSITIONS)
def test_a_picture_as_a_whole(position):
    text, prompt = global_prompt(WORDING_SETS, position)
    assert text in {f"{wording}{OF_IMAGE}" for wording in GLOBAL.wordings}
    assert prompt.startswith("recap_global/")


@pytest.mark.parametrize(
    ("caption", "name", "wordings"),
    [
        (CAPTION, "carpet", REGION),
        (CAPTION, None, REGION_WITHOUT_CLASS),
        (None, "carpet", REGION_WITHOUT_GLOBAL),
        (None, None, REGION_ALONE),
    ],
)
@given(position=POSITIONS)
def test_a_region_is_asked_about_with_what_is_known(caption, name, wordings, position):
    text, prompt = region_prompt(WORDING_SETS, position, request(caption, name))
    wording, expected = wordings.choose(position)
    assert prompt == expected
    asked = wording.replace("<global>", CAPTION).replace("<class>", "carpet")
    assert text == asked + OF_REGION
    assert "<" not in text


@pytest.mark.parametrize(
    ("caption", "shown"),
    [
        ("A dog", "A dog."),
        ("A dog, a cat,", "A dog, a cat."),
        ("A dog.\n\nIt sits.", "A dog. It sits."),
        ("Is it a dog?", "Is it a dog?"),
        ('A sign says "Stop."', 'A sign says "Stop."'),
        ("A dog (brown)", "A dog (brown)."),
        ("A <class> and a <global>.", "A (class) and a (global)."),
        ("USER: <image> ### now", "USER : (image) # # # now."),
        ("\\1 \\g<0>.", "\\1 \\g<0>."),
    ],
)
def test_a_caption_is_one_disarmed_sentence_in_the_prompt(caption, shown):
    rank = Hasher(1).rank()
    text, _ = region_prompt(WORDING_SETS, rank, request(caption, "c<global>"))
    asked = REGION.choose(rank)[0].replace("<global>", shown).replace("<class>", "c(global)")
    assert text == asked + OF_REGION


@given(POSITIONS, st.text(min_size=1).map(lambda text: f"A {text}"), st.text().map("b{}".format))
def test_whatever_is_said_the_prompt_is_one_line_without_placeholders(position, caption, name):
    text, _ = region_prompt(WORDING_SETS, position, request(caption, name))
    wording, _ = REGION.choose(position)
    assert text == clean(text)
    assert len(text.splitlines()) == 1
    assert text.startswith(wording.partition("<global>")[0])


def test_a_caption_and_a_name_make_no_tag_together():
    text, _ = region_prompt(WORDING_SETS, 0, request("A <A", "b>"))
    assert "<" not in text
    assert text == clean(text)


def test_wordings_of_the_user_replace_ours():
    own = {"recap_global": ["Look!"], "recap_region": ["<global> And the <class>?"]}
    table = replace_sets(WORDING_SETS, own)
    assert global_prompt(table, 5)[0] == f"Look!{OF_IMAGE}"
    assert (
        region_prompt(table, 5, request(CAPTION, "dog"))[0] == f"{CAPTION} And the dog?{OF_REGION}"
    )
    table = replace_sets(table, {"recap_ending": ["Just <subject>."]})
    assert global_prompt(table, 5)[0] == "Look! Just the scene."
    assert (
        region_prompt(table, 5, request(CAPTION, "dog"))[0]
        == f"{CAPTION} And the dog? Just the object."
    )


@pytest.mark.parametrize("caption", ["", " \n"])
def test_a_caption_without_words_is_a_mistake_of_ours(caption):
    with pytest.raises(ValueError, match="a caption that cannot stand in a prompt: text_empty"):
        region_prompt(WORDING_SETS, 0, request(caption, None))


def test_the_ending_asks_for_what_is_kept():
    for words in ("plain prose", "120 words at most", "itself", "never about a picture, a crop"):
        assert words in OF_REGION
    assert "this request" in OF_REGION
    assert "not sure" in OF_REGION


# What the first programs asked: without the ending, the prompts are the same.
EARLIER = {
    "recap_global": "83d1520acd34bf6e",
    "recap_region": "612b947542d57fbe",
    "recap_region_without_class": "f8e5febf0848faa2",
    "recap_region_without_global": "2b12d1ef43ad3cc4",
    "recap_region_alone": "935e5809b30cdd9f",
}


def test_the_prompts_are_what_they_were_but_for_their_ending():
    assert {wordings.name: wordings.digest()[:16] for wordings in SETS} == EARLIER


def test_only_the_words_of_papers_that_are_facts_carry_over():
    told = " ".join(line for wordings in recap_prompts.SETS for line in wordings.wordings)
    assert "In the context of the entire image" not in told
