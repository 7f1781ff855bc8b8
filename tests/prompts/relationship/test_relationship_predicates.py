"""Predicates: those that make no sentence, and any words or texts, which make one or none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.relationship.predicates import plain_predicate
from prompts.relationship.sentence import relationship_sentence


@pytest.mark.parametrize(
    "predicate",
    [
        *("is", "are", "was", "is a", "is not", "is being", "being on"),  # nothing is said
        *("about to", "trying to", "getting ready to", "to hold onto", "is used to hike up"),
        *("standing up", "sitting down", "lined up", "held up", "looks"),  # nothing can follow
        *("blooming", "shining", "landed on"),
        *("on with", "in in", "sitting at on", "up of", "besides", "out", "waiting for their at"),
        *("in floor next to", "driving down road on", "doing trick on", "in side of"),
        *("swimming pool in", "broken phone in", "left hand of", "full pizza in", "brush in"),
        *("coming of", "covered of", "visible of", "full on", "wearing on", "cover with"),
        *(
            "building in",
            "lightning in",
            "reached for",
            "shed near",
            "taking the of",
            "to a bar on",
        ),
        *("family in", "other than", "both eating", "has in", " ".join(["up"] * 2_000)),
        *("agaist", "not", "are fully", "has been", "have been", "man in", "and", "standing"),
        *("parked", "holding a glass and", "face of", "that", "being", "as", "the", "...", "top"),
        *("a red", "has is on", "has his a dog on"),
    ],
)
def test_predicates_that_make_no_sentence(predicate):
    assert relationship_sentence("man", predicate, "horse") is None


def test_plain_predicates():
    assert plain_predicate(" Sitting\n ON the ") == "sitting on"
    assert plain_predicate("the a") == "the"


STARTS = re.compile(r"The .+[^ ]\.")
REPEATED_VERB = re.compile(r"\b(is|are|has|have) (is|are|was|were|be|has|have)\b")


def well_formed(sentence: str) -> bool:
    return bool(
        STARTS.match(sentence)
        and not REPEATED_VERB.search(sentence)
        and not re.search(r"\b(a|an|the) (a|an|the)\b", sentence)
        and sentence == " ".join(sentence.split())
    )


def test_predicates_of_real_files(samples):
    """All members of the owner's list of predicates: what comes out is a sentence, as two in
    five do; most others begin with a noun."""
    lines = (samples / "visual_genome" / "alias" / "predicate_alias.txt").read_text().splitlines()
    predicates = {name.strip() for line in lines for name in line.split(",")}
    sentences = {name: relationship_sentence("tower", name, "rivers") for name in predicates}
    made = [sentence for sentence in sentences.values() if sentence]
    assert len(made) > 0.4 * len(predicates)
    assert [sentence for sentence in made if not well_formed(sentence)] == []


WORDS = (
    "is are has been being not on in at up of to by the a her back side left next tall taller than "
    "man road bikes hold holds holding cast cut put read ride riding parked worn stand standing"
)


@given(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=8).map(" ".join))
def test_any_words_make_a_sentence_or_none(predicate):
    sentence = relationship_sentence("tower", predicate, "rivers")
    assert sentence is None or well_formed(sentence)


@given(st.text(min_size=1), st.text(), st.text(min_size=1))
def test_any_text_is_answered(subject, predicate, object_):
    assert relationship_sentence(subject, predicate, object_) != ""
