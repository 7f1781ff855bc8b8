"""The sets of wordings: ours are fit, and a user's own are taken only if they are."""

import re
from collections import Counter

import pytest

from prompts.catalog import WORDING_SETS
from prompts.recap_marked import SINGLE, STRUCTURED
from prompts.wordings import WordingSet, problems, replace_sets
from schemas.errors import UsageError
from schemas.ids import Hasher
from schemas.text import clean

SETS = pytest.mark.parametrize("wordings", WORDING_SETS.values(), ids=WORDING_SETS)
MIN_COUNTS = {
    "region_classification": 15,
    "region_classification_several": 15,
    "detection_task": 4,
    # Every question of an evaluation has the same wording.
    "region_caption_evaluation": 1,
    "region_detailed_caption_evaluation": 1,
    "region_relationship_evaluation": 1,
    "region_question_letter": 1,
    "recap_ending": 1,  # all requests end alike
    **{wordings.name: 1 for wordings in SINGLE},
}
MIN_OF_ANY = 4


def test_the_table_lists_every_set_by_its_name():
    assert {name: wordings.name for name, wordings in WORDING_SETS.items()} == {
        name: name for name in WORDING_SETS
    }
    assert set(MIN_COUNTS) <= set(WORDING_SETS)


@SETS
def test_there_are_enough_wordings_and_all_differ(wordings):
    assert len(wordings.wordings) >= MIN_COUNTS.get(wordings.name, MIN_OF_ANY)
    letters = [re.sub(r"\W+", " ", wording).lower() for wording in wordings.wordings]
    assert [wording for wording, count in Counter(letters).items() if count > 1] == []


@SETS
def test_our_own_wordings_are_fit(wordings):
    assert problems(wordings.placeholders, wordings.wordings) == []
    assert wordings.replaced(wordings.wordings) == wordings


@SETS
def test_our_own_wordings_are_plain_sentences(wordings):
    for wording in wordings.wordings:
        around = wording
        for placeholder in wordings.placeholders:
            around = around.replace(placeholder, "X")
        assert clean(around) == around
        assert around.isascii()
        assert around[0].isupper()
        assert around[-1] in ".?"
        # One spells out a form.
        assert len(around) < (750 if wordings is STRUCTURED else 250)


def test_no_wording_stands_in_two_sets():
    counts = Counter(line for wordings in WORDING_SETS.values() for line in wordings.wordings)
    assert [line for line, count in counts.items() if count > 1] == []


@SETS
def test_every_wording_is_chosen_sometimes_and_each_has_an_id_of_its_own(wordings):
    chosen = {wordings.choose(Hasher(7).rank(number)) for number in range(500)}
    assert {wording for wording, _ in chosen} == set(wordings.wordings)
    assert len({prompt for _, prompt in chosen}) == len(wordings.wordings)
    assert {prompt.split("/")[0] for _, prompt in chosen} == {wordings.name}


def test_a_choice_and_its_id_never_change():
    wordings = WordingSet("set", (), ("One.", "Two.", "Three."))
    assert [wordings.choose(Hasher("seed").rank(number)) for number in range(4)] == [
        ("One.", "set/8677fbbd"),
        ("Three.", "set/8ed566a4"),
        ("Two.", "set/9574639a"),
        ("Three.", "set/8ed566a4"),
    ]


@pytest.mark.parametrize("name", WORDING_SETS)
def test_a_set_can_be_replaced(name):
    placeholders = WORDING_SETS[name].placeholders
    listed = " and ".join(placeholders)
    own = [f"Ünusual, but mine: {listed}!", f"{listed}?"]
    table = replace_sets(WORDING_SETS, {name: own})
    assert table.pop(name) == WordingSet(name, placeholders, tuple(own))
    assert table == {other: WORDING_SETS[other] for other in WORDING_SETS if other != name}


@pytest.mark.parametrize(
    ("wordings", "problem"),
    [
        ([], "is empty; give at least one wording"),
        ([""], r"expected once each of: <region>; found \[\] in ''"),
        (["What is it?"], r"expected once each of: <region>; found \[\] in 'What is it\?'"),
        (["<region> or <region>?"], r"found \['<region>', '<region>'\]"),
        (["<Region>?"], r"found \['<Region>'\]"),
        (["<region1>?"], r"found \['<region1>'\]"),
        (["<categories>: <region>?"], r"found \['<categories>', '<region>'\]"),
        (["<image> <region>?"], r"found \['<image>', '<region>'\]"),
        (["<region></s>"], r"found \['</s>', '<region>'\]"),
        (["<imag<region>?"], "an angle bracket outside a placeholder"),
        (["<region>e>?"], "an angle bracket outside a placeholder"),
        (["### <region>?"], "'###' belongs to the chat templates"),
        (["USER: <region>?"], "'USER:' belongs to the chat templates"),
        (["<region>? Assistant:"], "'Assistant:' belongs to the chat templates"),
        (["What is\n<region>?"], "line breaks, stray blanks or invisible characters"),
        (["What is  <region>?"], "line breaks, stray blanks or invisible characters"),
        ([" <region>?"], "line breaks, stray blanks or invisible characters"),
        (["<region>?\u200b"], "line breaks, stray blanks or invisible characters"),
        (["<region>?\x00"], "line breaks, stray blanks or invisible characters"),
        (["<region>? \ud800"], "line breaks, stray blanks or invisible characters"),
        (["<region>?", "<region>!", "<region>?"], r"given more than once: '<region>\?'"),
    ],
)
def test_wordings_that_are_unfit(wordings, problem):
    with pytest.raises(UsageError, match=f"^wordings set 'region_classification': .*{problem}"):
        replace_sets(WORDING_SETS, {"region_classification": wordings})


def test_every_problem_is_named_not_just_the_first():
    lines = problems(("<region>",), ["<region>?", "### ", "<region>?"])
    assert len(lines) == 4


def test_an_unknown_set_is_answered_with_the_known_ones():
    known = ", ".join(WORDING_SETS)
    with pytest.raises(UsageError, match=f"no wordings set 'caption'; the sets are: {known}"):
        replace_sets(WORDING_SETS, {"caption": ["Describe <region>."]})


@pytest.mark.parametrize("former", ["region_caption", "single_region_caption"])
def test_the_former_sets_of_captions_are_answered_with_those_by_form(former):
    new = "region_caption_phrase, region_caption_clause, region_caption_sentence"
    with pytest.raises(UsageError, match=f"no wordings set '{former}'; the sets are: .*{new}"):
        replace_sets(WORDING_SETS, {former: ["Describe <region>."]})
