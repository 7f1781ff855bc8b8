"""Dealing sentences into rounds: each region once a round, and nothing lost."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from prompts.turn_order import rounds
from schemas.ids import Hasher
from schemas.item import Expression
from schemas.sample import Task

CAPTION, CHOICE = Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION
SENTENCES = st.lists(st.sampled_from("abcd"), max_size=12).map(
    lambda regions: [Expression(f"s{at}", region, "x") for at, region in enumerate(regions)]
)


@given(SENTENCES, st.integers())
def test_round_k_has_the_regions_that_have_so_many_sentences(sentences, seed):
    sentence_rounds = rounds(sentences, Hasher(seed), CAPTION)
    counts = Counter(sentence.region_id for sentence in sentences)
    assert [sorted(drawn.sentence.region_id for drawn in told) for told in sentence_rounds] == [
        sorted(region for region, count in counts.items() if count > number)
        for number in range(max(counts.values(), default=0))
    ]
    dealt = [drawn.sentence for told in sentence_rounds for drawn in told]
    assert sorted(dealt, key=lambda sentence: sentence.id) == sorted(
        sentences, key=lambda sentence: sentence.id
    )


@given(st.data(), SENTENCES)
def test_the_order_of_sentences_decides_nothing(data, sentences):
    shuffled = data.draw(st.permutations(sentences))
    assert rounds(shuffled, Hasher(1), CAPTION) == rounds(sentences, Hasher(1), CAPTION)


def test_chance_and_task_decide():
    sentences = [Expression(f"s{at}", f"r{at % 6}", "x") for at in range(12)]
    orders = {
        tuple(drawn.sentence.id for drawn in rounds(sentences, Hasher(seed), task)[0])
        for seed in range(20)
        for task in (CAPTION, CHOICE)
    }
    assert len(orders) == 40


def test_the_rank_of_a_wording_says_nothing_of_the_place():
    sentences = [Expression(f"s{at}", f"r{at}", "x") for at in range(200)]
    (told,) = rounds(sentences, Hasher(0), CAPTION)
    first = sum(drawn.position >> 62 for drawn in told[:100])  # those in the upper half
    second = sum(drawn.position >> 62 for drawn in told[100:])
    assert 30 < first < 70
    assert 30 < second < 70
