"""Cards wait in a file; pages come in the order of scores, and a fair sample of all scores."""

import pytest

from pipelines.report.cards import Card
from pipelines.report.spool import Spool


def card(number: int, clip: float | None) -> Card:
    return Card(
        rank=(number * 7919) % 104729,
        id=str(number),
        region="",
        source="coco",
        task="region_caption",
        outcome="kept",
        category="",
        texts=["a"],
        clip=clip,
    )


@pytest.fixture
def spool():
    with Spool() as opened:
        for number in range(100):
            opened.add(card(number, None if number % 10 == 0 else ((number * 37) % 101) / 100))
        yield opened


def test_pages_hold_all_cards_the_lowest_scores_first_and_unscored_last(spool):
    pages = list(spool.by_score(30))
    assert [len(page) for page in pages] == [30, 30, 30, 10]
    clips = [each.clip for page in pages for each in page]
    assert clips[:90] == sorted(clips[:90])
    assert clips[90:] == [None] * 10
    assert len({each.id for page in pages for each in page}) == 100


def test_a_fair_sample_is_spread_over_all_scores_in_an_order_by_hash(spool):
    sample = spool.fair_sample(9)
    clips = sorted(each.clip for each in sample)
    every = [each.clip for page in spool.by_score(100) for each in page][:90]
    assert clips == every[::10]
    assert [each.rank for each in sample] == sorted(each.rank for each in sample)
    assert [each.clip for each in sample] != clips


def test_a_fair_sample_of_unscored_cards_has_the_smallest_hashes():
    with Spool() as spool:
        for number in range(20):
            spool.add(card(number, None))
        ranks = [each.rank for each in spool.fair_sample(5)]
        assert len(spool.fair_sample(50)) == 20
    assert ranks == sorted(ranks)
    assert len(ranks) == 5


def test_cards_can_be_added_after_some_were_read(spool):
    list(spool.by_score(30))
    spool.add(card(100, 0.005))
    (first, _) = next(spool.by_score(2))
    assert first.id == "100"
