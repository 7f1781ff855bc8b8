"""Items: which regions they are about, how they are counted, and what they read as."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.item import (
    Choices,
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    Relationship,
    Round,
    kinds,
    mentioned,
    plain_text,
)
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind
from transforms.ledger import StageLedger

CAPTION: Passage = (
    Mention("Two dogs", ("b", "a")),
    " chase ",
    Mention("a dog", ("b",)),
    " by ",
    Mention("the sea", ()),
    ".",
)
FORMS: list[tuple[Item, Kind, tuple[str, ...]]] = [
    (Expression("1", "a", "a dog"), Kind.SENTENCE, ("a",)),
    (Relationship("2", "b", "on", "a"), Kind.RELATIONSHIP, ("b", "a")),
    (GroundedCaption("3", CAPTION), Kind.SENTENCE, ("b", "a")),
    (
        Question("4", ("Why?",), (Mention("It", ("c",)), " runs."), (Mention("b", ("b", "c")),)),
        Kind.QUESTION,
        ("c", "b"),
    ),
    (Dialogue("5", (Round("Hm?", "Hm."),)), Kind.DIALOGUE, ()),
    (
        Question(
            "6",
            ("Why?",),
            ("Yes.",),
            (Mention("b", ("b",)),),
            Choices((("Yes.",), (Mention("It", ("c", "b")), ".")), 0),
            Choices((("No.",), (Mention("b", ("b",)),)), 1),
        ),
        Kind.QUESTION,
        ("b", "c"),
    ),
]
ITEMS = [item for item, _, _ in FORMS]


@pytest.mark.parametrize(("item", "kind", "region_ids"), FORMS)
def test_what_an_item_is_and_what_it_is_about(item, kind, region_ids):
    assert item.kind is kind
    assert item.region_ids() == region_ids


def test_a_relationship_of_a_region_to_itself_names_it_twice():
    assert Relationship("1", "a", "beside", "a").region_ids() == ("a", "a")


@pytest.mark.parametrize(
    ("passage", "text", "region_ids"),
    [
        (CAPTION, "Two dogs chase a dog by the sea.", ("b", "a")),
        ((), "", ()),
        ((" a ", " b "), " a  b ", ()),
        ((Mention("", ("a",)), Mention("b", ("a", "a"))), "b", ("a",)),
    ],
)
def test_a_passage_reads_as_its_pieces_joined(passage, text, region_ids):
    assert plain_text(passage) == text
    assert mentioned(passage) == region_ids


@given(st.lists(st.sampled_from(ITEMS)))
def test_items_are_counted_by_kind(items):
    counts = kinds(items)
    assert sum(counts.values()) == len(items)
    assert all(counts.values())
    for kind in Kind:
        assert counts.get(kind, 0) == sum(item.kind is kind for item in items)


def test_a_book_opens_an_account_for_each_kind(make_image):
    ledger, image = StageLedger(Stage.SCREEN), make_image()
    ledger.items_read(image, ITEMS)
    ledger.items_kept(image, ITEMS[:3])
    accounts = ledger_of(ledger.tally).sources["coco"]["train"][Stage.SCREEN]
    assert {kind: (account.read, account.kept) for kind, account in accounts.items()} == {
        Kind.SENTENCE: (2, 2),
        Kind.RELATIONSHIP: (1, 1),
        Kind.QUESTION: (2, 0),
        Kind.DIALOGUE: (1, 0),
    }


@pytest.mark.parametrize("item", ITEMS)
def test_items_cannot_be_changed_and_compare_by_value(item):
    assert item == msgspec.structs.replace(item)
    assert item != msgspec.structs.replace(item, id="other")
    with pytest.raises(AttributeError):
        item.id = "other"
